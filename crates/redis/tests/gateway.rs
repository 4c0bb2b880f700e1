//! The gateway over real sockets, in front of a store without a cluster.

use althing_kv::redis::{RedisBatch, RedisOutcome};
use althing_redis::{Backend, Consistency, Failed, Gateway, GatewayError, Settings, StoreBackend};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Long enough for a machine that builds something else at the same time.
const PATIENCE: Duration = Duration::from_secs(60);

fn anywhere() -> Settings {
    Settings::new("127.0.0.1:0".parse().unwrap())
}

/// A gateway that runs until it is told to end.
struct Running {
    address: SocketAddr,
    end: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Running {
    async fn start(settings: Settings, backend: impl Backend) -> Self {
        let gateway = Gateway::bind(settings).await.unwrap();
        let address = gateway.address();
        let (end, ended) = oneshot::channel();
        let serving = tokio::spawn(gateway.serve(backend, async { drop(ended.await) }));
        Self { address, end, serving }
    }

    async fn talk(&self) -> Talk {
        Talk(TcpStream::connect(self.address).await.unwrap())
    }
}

/// A client that knows nothing of the protocol.
struct Talk(TcpStream);

impl Talk {
    async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    async fn hears(&mut self, text: &str) {
        let mut heard = vec![0; text.len()];
        timeout(PATIENCE, self.0.read_exact(&mut heard)).await.expect("in time").unwrap();
        assert_eq!(String::from_utf8_lossy(&heard), text);
    }

    /// All that comes until the other side hangs up.
    async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        // A reset after the answer counts as a hang-up, too.
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut rest)).await.expect("in time");
        String::from_utf8(rest).unwrap()
    }
}

/// A store that executes only as much as it is let.
#[derive(Clone)]
struct Held {
    store: Arc<StoreBackend>,
    arrived: Arc<Semaphore>,
    let_go: Arc<Semaphore>,
}

impl Held {
    fn new() -> Self {
        let none = || Arc::new(Semaphore::new(0));
        Self { store: Arc::default(), arrived: none(), let_go: none() }
    }
}

impl Backend for Held {
    async fn execute(
        &self,
        batch: RedisBatch,
        consistency: Consistency,
    ) -> Result<RedisOutcome, Failed> {
        self.arrived.add_permits(1);
        self.let_go.acquire().await.unwrap().forget();
        self.store.execute(batch, consistency).await
    }

    fn cluster(&self) -> String {
        self.store.cluster()
    }
}

/// Broken: nothing works.
#[tokio::test]
async fn requests_are_answered_however_they_arrive() {
    let gateway = Running::start(anywhere(), StoreBackend::default()).await;
    let mut talk = gateway.talk().await;
    talk.say("SET a 1\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n").await;
    talk.hears("+OK\r\n$1\r\n1\r\n").await;
    for byte in "*2\r\n$4\r\nINCR\r\n$1\r\na\r\n".chars() {
        talk.say(&byte.to_string()).await;
    }
    talk.hears(":2\r\n").await;
    // What it asked is answered although it says nothing more.
    talk.say("GET a\r\nQU").await;
    talk.0.shutdown().await.unwrap();
    assert_eq!(talk.rest().await, "$1\r\n2\r\n");
}

/// Broken: a client that sends all that it has to say before it reads waits for ever.
#[tokio::test]
async fn answers_wait_for_a_client_that_reads_later() {
    let gateway = Running::start(anywhere(), StoreBackend::default()).await;
    let mut talk = gateway.talk().await;
    let value = "x".repeat(1000);
    talk.say(&format!("SET a {value}\r\n")).await;
    talk.hears("+OK\r\n").await;
    // Far more than sockets' buffers hold in either direction.
    let asked = "GET a\r\n".repeat(10_000);
    timeout(PATIENCE, talk.say(&asked)).await.expect("it takes requests meanwhile");
    let answer = format!("$1000\r\n{value}\r\n");
    for _ in 0..10_000 {
        talk.hears(&answer).await;
    }
}

/// Broken: one client more than allowed takes the place, or the memory, of others.
#[tokio::test]
async fn there_are_only_so_many_connections() {
    let settings = Settings { clients_max: 2, ..anywhere() };
    let gateway = Running::start(settings, StoreBackend::default()).await;
    let (mut first, mut second) = (gateway.talk().await, gateway.talk().await);
    for talk in [&mut first, &mut second] {
        talk.say("PING\r\n").await;
        talk.hears("+PONG\r\n").await;
    }
    let mut third = gateway.talk().await;
    assert_eq!(third.rest().await, "-ERR max number of clients reached\r\n");
    // Whoever leaves makes room.
    first.say("QUIT\r\n").await;
    assert_eq!(first.rest().await, "+OK\r\n");
    let served = async {
        loop {
            let mut talk = gateway.talk().await;
            // It may be refused, and hung up on, before it has spoken.
            let _ = talk.0.write_all(b"QUIT\r\n").await;
            if talk.rest().await == "+OK\r\n" {
                return;
            }
        }
    };
    timeout(PATIENCE, served).await.expect("there is room");
}

/// Broken: a gateway that is stopped leaves a client without the answer to what took effect.
#[tokio::test]
async fn what_was_asked_is_answered_before_the_end() {
    let held = Held::new();
    let gateway = Running::start(anywhere(), held.clone()).await;
    let mut idle = gateway.talk().await;
    let mut talk = gateway.talk().await;
    talk.say("SET a 1\r\n").await;
    held.arrived.acquire().await.unwrap().forget();
    gateway.end.send(()).unwrap();
    assert_eq!(idle.rest().await, "");
    held.let_go.add_permits(1);
    assert_eq!(talk.rest().await, "+OK\r\n");
    timeout(PATIENCE, gateway.serving).await.expect("it ends").unwrap();
    assert!(TcpStream::connect(gateway.address).await.is_err());
}

/// Broken: what waits while a batch is executed pays for an agreement for each command.
#[tokio::test]
async fn what_arrives_meanwhile_is_one_batch() {
    let held = Held::new();
    let gateway = Running::start(anywhere(), held.clone()).await;
    let mut talk = gateway.talk().await;
    talk.say("INCR a\r\n").await;
    held.arrived.acquire().await.unwrap().forget();
    talk.say(&"INCR a\r\n".repeat(100)).await;
    held.let_go.add_permits(1000);
    let answers: String = (1..=101).map(|n| format!(":{n}\r\n")).collect();
    talk.hears(&answers).await;
    // The rest came in very few pieces.
    let batches = held.arrived.available_permits();
    assert!((1..=20).contains(&batches), "{batches} batches");
}

/// Broken: everybody on the network reads and writes everything.
#[tokio::test]
async fn an_open_port_needs_a_password() {
    let everywhere = Settings::new("0.0.0.0:0".parse().unwrap());
    let error = Gateway::bind(everywhere.clone()).await.unwrap_err();
    assert!(matches!(error, GatewayError::OpenToAll { .. }), "{error}");
    let empty = Settings { password: Some(String::new()), ..everywhere };
    let error = Gateway::bind(empty).await.unwrap_err();
    assert!(matches!(error, GatewayError::EmptyPassword), "{error}");
    let closed = Settings { password: Some("secret".into()), ..anywhere() };
    assert!(!format!("{closed:?}").contains("secret"), "it would end in logs");
    let gateway = Running::start(closed, StoreBackend::default()).await;
    let mut talk = gateway.talk().await;
    talk.say("GET a\r\nAUTH secret\r\nGET a\r\n").await;
    talk.hears("-NOAUTH Authentication required.\r\n+OK\r\n$-1\r\n").await;
}

/// Broken: an address in use is not named.
#[tokio::test]
async fn an_address_in_use_is_an_error() {
    let gateway = Running::start(anywhere(), StoreBackend::default()).await;
    let again = Gateway::bind(Settings::new(gateway.address)).await.unwrap_err().to_string();
    assert!(again.contains(&gateway.address.to_string()), "{again}");
}

/// Broken: connections know nothing of each other, or tell of those that are gone.
#[tokio::test]
async fn connections_are_listed_and_counted() {
    let gateway = Running::start(anywhere(), StoreBackend::default()).await;
    let mut other = gateway.talk().await;
    other.say("CLIENT SETNAME other\r\nCLIENT ID\r\n").await;
    other.hears("+OK\r\n:1\r\n").await;
    let mut talk = gateway.talk().await;
    talk.say("CLIENT LIST\r\nINFO clients\r\nQUIT\r\n").await;
    let told = talk.rest().await;
    for part in ["id=1 ", " name=other ", "cmd=client ", "id=2 ", "connected_clients:2\r\n"] {
        assert!(told.contains(part), "{told}");
    }
}
