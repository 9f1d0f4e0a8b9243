//! Serves an emulated AWS, for any client that is told its address (`AWS_ENDPOINT_URL`).

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use howso_infra_emulator::{Emulator, PolicyDocument};
use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpListener;

/// Serves an emulated AWS until it is stopped; its address is the first line that it prints.
#[derive(Parser)]
#[command(name = "howso-infra-emulator")]
struct Arguments {
    /// Where to listen; the port 0 is any that is free.
    #[arg(long, default_value = "127.0.0.1:0")]
    address: SocketAddr,
    /// What names and durations are drawn from: the same for the same.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many times faster than real its time passes.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    speed: u32,
    /// Allow callers only what this policy of IAM allows; may be repeated.
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let Arguments { address, seed, speed, policy } = Arguments::parse();
    let policies: Vec<PolicyDocument> = policy.iter().map(read).collect::<io::Result<_>>()?;
    let listener = TcpListener::bind(address).await?;
    writeln!(io::stdout(), "http://{}", listener.local_addr()?)?;
    let (epoch, began) = (Timestamp::now(), Instant::now());
    let time = move || {
        let passed = began.elapsed().saturating_mul(speed);
        epoch.saturating_add(SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX)).unwrap_or(Timestamp::MAX)
    };
    let emulator = Emulator::new(time, seed);
    if !policies.is_empty() {
        emulator.allow_only(policies);
    }
    emulator.serve(listener).await
}

fn read(path: &PathBuf) -> io::Result<PolicyDocument> {
    let invalid = |error| io::Error::other(format!("{} is {error}", path.display()));
    fs::read_to_string(path)?.parse().map_err(invalid)
}
