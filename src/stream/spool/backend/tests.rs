//! An overlay reads as a file does that is written to, and writes nothing.

use proptest::prelude::*;

use super::*;
use crate::ports::Disk;
use crate::sim::disk::DiskStore;
use crate::sim::seed::Seed;

#[derive(Debug, Clone)]
enum Step {
    Write(u64, Vec<u8>),
    Length(u64),
    Read(u64, usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..9_000);
    prop_oneof![
        (0_u64..20_000, bytes).prop_map(|(at, bytes)| Step::Write(at, bytes)),
        (0_u64..30_000).prop_map(Step::Length),
        (0_u64..20_000, 0_usize..9_000).prop_map(|(at, len)| Step::Read(at, len)),
    ]
}

proptest! {
    #[test]
    fn an_overlay_is_a_file_to_its_user_only(
        len in 0_usize..15_000,
        steps in proptest::collection::vec(any_step(), 1..20),
    ) {
        let disk = DiskStore::new(Seed(1)).mount();
        let before: Vec<u8> = (0..len).map(|n| n as u8 | 1).collect();
        for name in ["model", "below"] {
            disk.open(name).unwrap().write_at(0, &before).unwrap();
        }
        let model = disk.open("model").unwrap();
        let traffic = Arc::new(Traffic::default());
        let file = disk.open("below").unwrap();
        let overlay = Overlay::new(Backend { file, traffic }).unwrap();
        for step in steps {
            match step {
                Step::Write(at, bytes) if !bytes.is_empty() => {
                    model.write_at(at, &bytes).unwrap();
                    overlay.write(at, &bytes).unwrap();
                }
                Step::Write(..) => {}
                Step::Length(len) => {
                    model.set_len(len).unwrap();
                    overlay.set_len(len).unwrap();
                }
                Step::Read(at, len) => {
                    let (mut expected, mut found) = (vec![0; len], vec![0; len]);
                    let result = model.read_at(at, &mut expected).map_err(|e| e.kind());
                    prop_assert_eq!(overlay.read(at, &mut found).map_err(|e| e.kind()), result);
                    prop_assert_eq!(found, expected);
                }
            }
            prop_assert_eq!(overlay.len().unwrap(), model.len().unwrap());
        }
        let mut found = vec![0; usize::try_from(model.len().unwrap()).unwrap()];
        overlay.read(0, &mut found).unwrap();
        prop_assert_eq!(found, disk.read("model").unwrap());
        prop_assert_eq!(disk.read("below").unwrap(), before);
    }
}
