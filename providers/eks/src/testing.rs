//! A server on the loopback interface that answers as a test says, and clients that ask it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};

use crate::clients::{Clients, http_client, timeouts};

/// How long clients of a test wait for an answer.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The action of the query protocols (EC2, IAM, Auto Scaling, STS), else method and path.
    pub(crate) call: String,
    /// The body, with the percent signs of forms resolved.
    pub(crate) body: String,
}

/// What is answered.
pub(crate) enum Answer {
    /// A status and a body.
    Status(u16, String),
    /// The connection is closed without an answer.
    Closed,
    /// No answer for longer than clients wait.
    Silence,
}

/// An answer in the XML of EC2.
pub(crate) fn ec2(call: &str, fields: &str) -> Answer {
    Answer::Status(200, format!("<{call}Response>{fields}</{call}Response>"))
}

/// An error in the XML of EC2.
pub(crate) fn ec2_error(status: u16, code: &str, message: &str) -> Answer {
    let error = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    Answer::Status(status, format!("<Response><Errors>{error}</Errors><RequestID>ignored</RequestID></Response>"))
}

/// A server that runs until the test ends.
pub(crate) struct Server {
    address: std::net::SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Starts a server that answers by `answer`.
    pub(crate) fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (requests.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (log, answer) = (log.clone(), answer.clone());
                std::thread::spawn(move || serve(&stream, &log, &*answer));
            }
        });
        Self { address, requests }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Clients that ask this server.
    pub(crate) fn clients(&self) -> Clients {
        clients(&self.url())
    }

    /// What was asked so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The calls that were asked so far, in order of the alphabet.
    pub(crate) fn calls(&self) -> Vec<String> {
        let mut calls: Vec<_> = self.requests().into_iter().map(|request| request.call).collect();
        calls.sort();
        calls
    }
}

/// Clients with made-up credentials that ask a server at `endpoint`.
pub(crate) fn clients(endpoint: &str) -> Clients {
    let credentials = Credentials::new("AKIATEST", "secret", None, None, "test");
    clients_with(endpoint, SharedCredentialsProvider::new(credentials))
}

/// Clients with these credentials that ask a server at `endpoint`.
pub(crate) fn clients_with(endpoint: &str, credentials: SharedCredentialsProvider) -> Clients {
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(timeouts(REQUEST_TIMEOUT))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .http_client(http_client())
        .credentials_provider(credentials)
        .identity_cache(IdentityCache::lazy().load_timeout(REQUEST_TIMEOUT / 2).build())
        .build();
    Clients::new(&config)
}

fn serve(mut stream: &TcpStream, log: &Mutex<Vec<Request>>, answer: &dyn Fn(&Request) -> Answer) {
    let Some(request) = read(stream) else { return };
    log.lock().unwrap().push(request.clone());
    match answer(&request) {
        Answer::Status(status, body) => {
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n", body.len());
            let head = head + "x-amzn-requestid: r-1\r\n\r\n";
            // A client that has gone away has seen enough.
            let _ = stream.write_all((head + &body).as_bytes());
        }
        Answer::Closed => {}
        Answer::Silence => std::thread::sleep(4 * REQUEST_TIMEOUT),
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    reader.read_line(&mut head).ok()?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = percent_encoding::percent_decode(&body).decode_utf8_lossy().into_owned();
    let action = body.split('&').find_map(|field| field.strip_prefix("Action="));
    let mut words = head.split_whitespace();
    let line = format!("{} {}", words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let call = action.map_or(line, str::to_owned);
    Some(Request { call, body })
}
