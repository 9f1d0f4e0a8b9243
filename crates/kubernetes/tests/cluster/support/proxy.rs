//! Stands between the program under test and the API server, counts its requests, and does to one of them what a network does.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use http_body_util::BodyExt;
use kube::client::Body;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::client::plain_client;
use super::server::server;

/// What happens to a request.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// The connection breaks before the server gets it, and the program dies.
    DieBefore,
    /// The server gets it, the answer is lost, and the program dies.
    DieAfter,
    /// The answer is lost; the program lives.
    Lose,
    /// This is answered in place of the server: status, further headers, body.
    Answer(u16, &'static str, &'static str),
}

/// Which request a fault befalls.
#[derive(Clone, Debug)]
pub(crate) enum When {
    /// The request with this number among those that change something, from 0.
    Mutation(usize),
    /// So many of those whose `METHOD /path?query` contains the text.
    Matching(&'static str, usize),
}

#[derive(Default)]
struct State {
    fault: Option<(When, Fault)>,
    mutations: usize,
    log: Vec<(String, Instant)>,
}

/// The proxy. It ends with the runtime of its test.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
    faults: Arc<AtomicUsize>,
    /// Told when the program has to die.
    pub(crate) death: Arc<Notify>,
}

impl Proxy {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("a port is bound"));
        let proxy = Self { url, state: Arc::default(), faults: Arc::default(), death: Arc::default() };
        let (client, serving) = (plain_client(server()).await, proxy.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (client, serving) = (client.clone(), serving.clone());
                tokio::spawn(async move { serving.serve(stream, client).await });
            }
        });
        proxy
    }

    /// Forgets what was seen, and lets `fault` happen.
    pub(crate) fn arm(&self, when: When, fault: Fault) {
        *self.state.lock().unwrap() = State { fault: Some((when, fault)), ..State::default() };
        self.faults.store(0, Ordering::SeqCst);
    }

    /// Forgets what was seen, and lets everything pass.
    pub(crate) fn disarm(&self) {
        *self.state.lock().unwrap() = State::default();
    }

    /// How often a fault happened since it was armed.
    pub(crate) fn faults(&self) -> usize {
        self.faults.load(Ordering::SeqCst)
    }

    /// The requests so far that contain `text`, with when they came.
    pub(crate) fn requests(&self, text: &str) -> Vec<(String, Instant)> {
        self.state.lock().unwrap().log.iter().filter(|(line, _)| line.contains(text)).cloned().collect()
    }

    /// How many requests so far were to change something.
    pub(crate) fn mutations(&self) -> usize {
        self.state.lock().unwrap().mutations
    }

    fn fault_of(&self, line: &str) -> Option<Fault> {
        let mut state = self.state.lock().unwrap();
        state.log.push((line.to_owned(), Instant::now()));
        let is_mutation = !line.starts_with("GET ");
        let number = state.mutations;
        state.mutations += usize::from(is_mutation);
        let (when, fault) = state.fault.clone()?;
        let happens = match when {
            When::Mutation(wanted) => is_mutation && number == wanted,
            When::Matching(text, times) => line.contains(text) && self.faults.load(Ordering::SeqCst) < times,
        };
        happens.then(|| {
            self.faults.fetch_add(1, Ordering::SeqCst);
            fault
        })
    }

    async fn serve(&self, stream: TcpStream, client: kube::Client) {
        let mut stream = BufReader::new(stream);
        while let Some((line, headers, body)) = read_request(&mut stream).await {
            let fault = self.fault_of(&line);
            let answer = match fault {
                Some(Fault::DieBefore) => return self.death.notify_one(),
                Some(Fault::Answer(status, head, body)) => (status, head.to_owned(), body.as_bytes().to_vec()),
                Some(Fault::DieAfter) => {
                    forward(&client, &line, &headers, body).await;
                    return self.death.notify_one();
                }
                Some(Fault::Lose) => {
                    forward(&client, &line, &headers, body).await;
                    return;
                }
                None => forward(&client, &line, &headers, body).await,
            };
            let (status, head, body) = answer;
            let head = format!("HTTP/1.1 {status} Answer\r\ncontent-length: {}\r\n{head}\r\n", body.len());
            if stream.write_all(head.as_bytes()).await.is_err() || stream.write_all(&body).await.is_err() {
                return;
            }
        }
    }
}

/// The request line without its version, the headers, the body.
async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<(String, HashMap<String, String>, Vec<u8>)> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let line = line.trim().strip_suffix(" HTTP/1.1")?.to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await.ok()?;
        let Some((name, value)) = header.trim().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((line, headers, body))
}

async fn forward(
    client: &kube::Client,
    line: &str,
    headers: &HashMap<String, String>,
    body: Vec<u8>,
) -> (u16, String, Vec<u8>) {
    let (method, path) = line.split_once(' ').expect("a request line has two parts");
    let mut request = http::Request::builder().method(method).uri(path);
    for name in ["authorization", "content-type", "accept"] {
        if let Some(value) = headers.get(name) {
            request = request.header(name, value);
        }
    }
    let request = request.body(Body::from(body)).expect("the request was one");
    let answer = client.send(request).await.expect("the server answers");
    let status = answer.status().as_u16();
    let kept = ["content-type", "retry-after", "date"];
    let head = kept.iter().filter_map(|name| Some((name, answer.headers().get(*name)?.to_str().ok()?)));
    let head = head.fold(String::new(), |head, (name, value)| head + name + ": " + value + "\r\n");
    let bytes = answer.into_body().collect().await.expect("the answer is whole").to_bytes();
    (status, head, bytes.to_vec())
}
