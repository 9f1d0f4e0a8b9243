//! The machine for clients.

use super::valid_with;
use crate::spec::ClientMachine;

fn shape(text: &str) -> Option<(u32, u32, String, u32)> {
    let client = valid_with(text).spec.client;
    client.map(|ClientMachine { parallel, machine }| {
        (parallel, machine.cpu.get(), machine.memory.to_string(), machine.disk.get())
    })
}

#[test]
fn its_machine_follows_from_the_trainees_unless_it_is_said() {
    assert_eq!(shape(""), None);
    assert_eq!(shape("[client]\nparallel = 8"), Some((8, 10, "20Gi".to_owned(), 100)));
    let said = "[client]\nparallel = 8\nmachine = { memory = \"64Gi\", disk = \"500Gi\" }";
    assert_eq!(shape(said), Some((8, 10, "64Gi".to_owned(), 500)));
}
