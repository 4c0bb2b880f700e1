;; A conflict function of the reference store that knows `Get` and `Put` of short keys; everything else
;; touches everything. It reads the store's protobuf: a command is one field, whose number is its kind.
;;   Get { key }        0a len 0a keylen key
;;   Put { key, value } 12 len 0a keylen key 12 ..
(module
  (memory (export "memory") 2)
  (data (i32.const 16) "read write\nread read\n")

  (func (export "althing_modes") (result i64)
    (i64.or (i64.shl (i64.const 16) (i64.const 32)) (i64.const 21)))

  ;; Payloads go to the second page; a longer one does not fit, and traps.
  (func (export "althing_alloc") (param $len i32) (result i32)
    (if (i32.gt_u (local.get $len) (i32.const 65536)) (then unreachable))
    (i32.const 65536))

  ;; Over everything: one byte at 1024.
  (func $everything (result i64)
    (i32.store8 (i32.const 1024) (i32.const 1))
    (i64.or (i64.shl (i64.const 1024) (i64.const 32)) (i64.const 1)))

  (func (export "althing_footprint") (param $at i32) (param $len i32) (result i64)
    (local $kind i32) (local $key_len i32)
    (if (i32.lt_u (local.get $len) (i32.const 5)) (then (return (call $everything))))
    (local.set $kind (i32.load8_u (local.get $at)))
    ;; Get or Put, of fewer than 128 bytes, with the key as first field, of fewer than 128 bytes.
    (if (i32.and (i32.ne (local.get $kind) (i32.const 0x0a)) (i32.ne (local.get $kind) (i32.const 0x12)))
      (then (return (call $everything))))
    (if (i32.gt_u (i32.load8_u offset=1 (local.get $at)) (i32.const 127))
      (then (return (call $everything))))
    (if (i32.ne (i32.load8_u offset=2 (local.get $at)) (i32.const 0x0a))
      (then (return (call $everything))))
    (local.set $key_len (i32.load8_u offset=3 (local.get $at)))
    (if (i32.gt_u (local.get $key_len) (i32.const 127)) (then (return (call $everything))))
    (if (i32.gt_u (i32.add (local.get $key_len) (i32.const 4)) (local.get $len))
      (then (return (call $everything))))
    ;; kind 0, one resource: mode, length, name; no range.
    (i32.store8 (i32.const 1024) (i32.const 0))
    (i32.store16 (i32.const 1025) (i32.const 1))
    (i32.store8 (i32.const 1027) (i32.eq (local.get $kind) (i32.const 0x12)))
    (i32.store16 (i32.const 1028) (local.get $key_len))
    (memory.copy (i32.const 1030) (i32.add (local.get $at) (i32.const 4)) (local.get $key_len))
    (i32.store16 (i32.add (i32.const 1030) (local.get $key_len)) (i32.const 0))
    (i64.or
      (i64.shl (i64.const 1024) (i64.const 32))
      (i64.extend_i32_u (i32.add (local.get $key_len) (i32.const 8))))))
