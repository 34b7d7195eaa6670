use super::*;
use crate::base::{Code, Error};
use crate::commit::open::NewMap;
use crate::commit::transaction::tests::{environment, node};
use crate::storage::Storage;
use crate::storage::mem::MemStorage;
use crate::vat::Kind;

/// A store on plain memory, with what its files hold.
struct Bench {
    map: Arc<MemStorage>,
    log: Arc<MemStorage>,
    store: Store,
}

impl Bench {
    fn new() -> Bench {
        let (map, log) = (Arc::new(MemStorage::new()), Arc::new(MemStorage::new()));
        let new = NewMap {
            width: 256,
            uuid: Some([1; 16]),
            parity: false,
            label: Vec::new(),
            first_object: 2,
        };
        let storage = Arc::clone(&map) as Arc<dyn Storage>;
        let sidecar = Arc::clone(&log) as Arc<dyn Storage>;
        let mut store = Store::create(storage, Some(sidecar), new, environment()).unwrap();
        store.found().unwrap();
        Bench { map, log, store }
    }

    /// What a crash now would leave, opened again.
    fn crashed(&self) -> Store {
        let copy = |of: &MemStorage| {
            Arc::new(MemStorage::from_vec(of.to_vec().unwrap())) as Arc<dyn Storage>
        };
        Store::open_live(copy(&self.map), Some(copy(&self.log)), true, environment()).unwrap()
    }
}

fn expect_nodes(store: &Store, nodes: &[u64], place: &str) {
    for &cluster in nodes {
        assert_eq!(store.references(cluster).unwrap(), 1, "{place}: node {cluster}");
        store.node(cluster).unwrap();
    }
}

fn change(store: &mut Store, cluster: u64, byte: u8) {
    store.atomically(|store| store.node_mut(cluster).map(|page| page[100] = byte)).unwrap();
}

/// While a checkpoint is under way, somebody changes pages, and then needs log or map.
#[test]
fn nothing_overtakes_a_checkpoint() {
    for what in ["nothing", "commit", "checkpoint", "data", "growth"] {
        let mut bench = Bench::new();
        let store = &mut bench.store;
        let mut nodes: Vec<u64> = (0..4).map(|_| node(store)).collect();
        let under_way = store.prepare_checkpoint().unwrap().unwrap();
        change(store, nodes[0], 1);
        nodes.push(node(store));
        match what {
            "commit" => store.commit().unwrap(),
            "checkpoint" => store.checkpoint().unwrap(),
            "data" => {
                let write = |store: &mut Store| store.write_extent(Kind::Raw, &[7; 9000], 9, false);
                store.atomically(write).unwrap();
            }
            "growth" => {
                let sheets = store.geometry().sheets();
                while store.geometry().sheets() == sheets {
                    nodes.push(node(store));
                }
            }
            _ => {}
        }
        let outcome = under_way.write();
        store.finish_checkpoint(outcome).unwrap();
        // What a transaction says that comes after it stands in the new log alone.
        change(store, nodes[1], 2);
        store.commit().unwrap();
        let state = *store.state();
        let again = bench.crashed();
        assert_eq!(again.state().generation, state.generation, "{what}");
        expect_nodes(&again, &nodes, what);
        assert_eq!(again.node(nodes[0]).unwrap()[100], 1, "{what}");
        assert_eq!(again.node(nodes[1]).unwrap()[100], 2, "{what}");
        bench.store.close().unwrap();
        let closed = bench.crashed();
        assert_eq!(closed.node(nodes[1]).unwrap()[100], 2, "{what}");
    }
}

/// Somebody frees pages, and takes others in their place, while those are on their way home.
#[test]
fn pages_on_their_way_home_arrive_before_what_follows() {
    let mut bench = Bench::new();
    let store = &mut bench.store;
    let mut nodes: Vec<u64> = (0..40).map(|_| node(store)).collect();
    store.commit().unwrap();
    let homing = store.prepare_homing().unwrap();
    assert!(store.prepare_homing().is_none());
    for (&cluster, byte) in nodes.iter().zip(10..) {
        change(store, cluster, byte);
    }
    for cluster in nodes.drain(20..) {
        store.atomically(|store| store.release_node(cluster)).unwrap();
    }
    // Writes those first that are on their way, whoever carries them afterwards.
    store.checkpoint().unwrap();
    nodes.extend((0..20).map(|_| node(store)));
    for (&cluster, byte) in nodes.iter().zip(50..) {
        change(store, cluster, byte);
    }
    let outcome = homing.write();
    store.finish_homing(outcome).unwrap();
    store.checkpoint().unwrap();
    let again = bench.crashed();
    expect_nodes(&again, &nodes, "after all");
    for (&cluster, byte) in nodes.iter().zip(50..) {
        assert_eq!(again.node(cluster).unwrap()[100], byte);
    }
}

/// An operation that fails after it had to wait for a checkpoint brings back pages as they are
/// at home, and logs them whole when they change again.
#[test]
fn an_operation_undone_across_a_checkpoint() {
    let mut bench = Bench::new();
    let store = &mut bench.store;
    let nodes: Vec<u64> = (0..3).map(|_| node(store)).collect();
    let under_way = store.prepare_checkpoint().unwrap().unwrap();
    let failed = store.atomically(|store| {
        store.node_mut(nodes[0])?[100] = 77;
        let sheets = store.geometry().sheets();
        while store.geometry().sheets() == sheets {
            store.new_node()?;
        }
        store.node_mut(nodes[1])?[100] = 77;
        Err::<(), Error>(Error::new(Code::Invalid, "no"))
    });
    assert_eq!(failed.unwrap_err().code(), Code::Invalid);
    let outcome = under_way.write();
    store.finish_checkpoint(outcome).unwrap();
    assert_eq!(store.node(nodes[0]).unwrap()[100], 0);
    change(store, nodes[0], 5);
    store.commit().unwrap();
    let again = bench.crashed();
    expect_nodes(&again, &nodes, "after the failure");
    assert_eq!(again.node(nodes[0]).unwrap()[100], 5);
    assert_eq!(again.node(nodes[1]).unwrap()[100], 0);
}
