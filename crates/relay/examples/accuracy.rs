//! How late is the relay? Sends steadily over the 20 links of a five-region mesh and prints, for
//! each rate, the lateness that the relay measures of itself and the one that receivers see.
//!
//! `cargo run --release -p althing-relay --example accuracy [seconds [plain]]`; `plain` asks for no
//! real-time scheduling.

use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use althing_planet::Planet;
use althing_relay::{Config, Mesh, Relay};
use hdrhistogram::Histogram;

const RATES: [u64; 3] = [1_000, 5_000, 20_000];
const PAYLOAD_LEN: usize = 200;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds = std::env::args().nth(1).map_or(Ok(10), |text| text.parse())?;
    let real_time = std::env::args().nth(2).is_none();
    println!(
        "datagrams/s  relay us: p50    p99    max   receiver us: p50    p99    max   lost  real-time"
    );
    for rate in RATES {
        run(rate, seconds, real_time)?;
    }
    Ok(())
}

fn run(rate: u64, seconds: u64, real_time: bool) -> Result<(), Box<dyn std::error::Error>> {
    let planet = Planet::named("aws-2021-02-13")?;
    let sockets: Vec<UdpSocket> = planet
        .regions()
        .iter()
        .map(|_| UdpSocket::bind("127.0.0.1:0"))
        .collect::<Result<_, _>>()?;
    let mut endpoints = Vec::new();
    for (region, socket) in planet.regions().iter().zip(&sockets) {
        endpoints.push((region.clone(), socket.local_addr()?));
    }
    let mesh = Relay::mesh_with(&planet, &endpoints, Config { real_time, ..Config::default() })?;

    // For each link: who sends, where to, and after how long it must arrive.
    let mut ways: Vec<(usize, SocketAddr, u64)> = Vec::new();
    for i in 0..sockets.len() {
        for j in (0..sockets.len()).filter(|&j| j != i) {
            let one_way_us = planet.one_way_us(&endpoints[i].0, &endpoints[j].0)?;
            ways.push((i, mesh.address_of(i, j), one_way_us));
        }
    }

    let start = Instant::now();
    let sends = rate * seconds;
    let end = start + Duration::from_secs(seconds + 1);
    let late_us = thread::scope(|scope| {
        let receivers: Vec<_> =
            sockets.iter().map(|socket| scope.spawn(move || receive(socket, start, end))).collect();
        for n in 0..sends {
            let at = start + Duration::from_nanos(n * 1_000_000_000 / rate);
            thread::sleep(at.saturating_duration_since(Instant::now()));
            let (from, address, one_way_us) = ways[(n % ways.len() as u64) as usize];
            let due_us = start.elapsed().as_micros() as u64 + one_way_us;
            let mut payload = [0; PAYLOAD_LEN];
            payload[..8].copy_from_slice(&due_us.to_be_bytes());
            sockets[from].send_to(&payload, address).expect("loopback takes datagrams");
        }
        let mut sum = new_histogram();
        for receiver in receivers {
            sum.add(receiver.join().expect("a receiver ends")).expect("same bounds");
        }
        sum
    });
    report(rate, sends, &mesh, &late_us);
    Ok(())
}

/// How late each datagram was that came until `end`.
fn receive(socket: &UdpSocket, start: Instant, end: Instant) -> Histogram<u64> {
    let mut late_us = new_histogram();
    let mut payload = [0; PAYLOAD_LEN];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return late_us;
        }
        socket.set_read_timeout(Some(left)).expect("the timeout is not zero");
        if socket.recv(&mut payload).is_ok() {
            let due_us = u64::from_be_bytes(payload[..8].try_into().expect("eight bytes"));
            let now_us = start.elapsed().as_micros() as u64;
            // The due time is rounded down, so that a datagram on time is never seen early.
            late_us.saturating_record(now_us.checked_sub(due_us).expect("never early"));
        }
    }
}

fn report(rate: u64, sends: u64, mesh: &Mesh, late_us: &Histogram<u64>) {
    let stats = mesh.relay().stats();
    let own = stats.delay_error;
    println!(
        "{rate:>11} {:>14} {:>6} {:>6} {:>18} {:>6} {:>6} {:>6}  {}",
        own.p50_us,
        own.p99_us,
        own.max_us,
        late_us.value_at_quantile(0.5),
        late_us.value_at_quantile(0.99),
        late_us.max(),
        sends - late_us.len(),
        stats.real_time,
    );
}

fn new_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 2).expect("the bounds are valid")
}
