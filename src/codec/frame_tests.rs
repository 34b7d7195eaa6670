use super::*;
use crate::base::Code;

/// xorshift64*: the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// Bytes with the texture of real files: words, runs, noise, repeats at a distance.
fn texture(random: &mut Random, len: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::with_capacity(len + 300);
    while bytes.len() < len {
        match random.below(6) {
            0 => bytes.extend((0..random.below(60)).map(|_| random.next() as u8)),
            1 => bytes.extend(std::iter::repeat_n(random.next() as u8, random.below(200))),
            2 if bytes.len() > 10 => {
                let from = random.below(bytes.len());
                let to = bytes.len().min(from + random.below(300));
                bytes.extend_from_within(from..to);
            }
            _ => bytes.extend_from_slice(
                [&b"the picture "[..], b"cluster ", b"and a band, ", b"sheet\n"][random.below(4)],
            ),
        }
    }
    bytes.truncate(len);
    bytes
}

fn noise(random: &mut Random, len: usize) -> Vec<u8> {
    (0..len).map(|_| random.next() as u8).collect()
}

#[test]
fn both_decoders_give_back_what_was_compressed() {
    let mut random = Random(1);
    let (mut compressor, mut decompressor) = (Compressor::new(), Decompressor::new());
    let mut frame = Vec::new();
    for round in 0..60 {
        let len = match round {
            0 => 1,
            1 => MAX_FRAME,
            2 => 255,
            3 => 256,
            _ => 1 + random.below(MAX_FRAME),
        };
        let data = if round % 5 == 4 { noise(&mut random, len) } else { texture(&mut random, len) };
        for level in [1, 3, 9] {
            let pays = match random.below(2) {
                0 => compressor.compress(&data, level, &mut frame),
                _ => compressor.compress_parts(&data, level, &mut frame),
            };
            assert_eq!(pays, !frame.is_empty());
            if !pays {
                assert!(round % 5 == 4 || len < 2 * CLUSTER, "{len} bytes of texture do not pay");
                continue;
            }
            assert_eq!(frame_length(&frame).unwrap(), frame.len());
            let mut out = vec![0xaa; len];
            decompressor.decompress(&frame, &mut out).unwrap();
            assert!(out == data, "round {round} level {level}");
            assert!(decompress_independently(&frame, len).unwrap() == data);
            let wanted = random.below(len + 1);
            let mut prefix = vec![0xaa; wanted];
            decompressor.decompress_prefix(&frame, len, &mut prefix).unwrap();
            assert!(prefix == data[..wanted], "round {round} level {level} prefix {wanted}");
        }
    }
}

#[test]
fn only_what_pays_is_compressed() {
    let mut random = Random(2);
    let mut compressor = Compressor::new();
    let mut frame = vec![1, 2, 3];
    for data in [vec![], vec![0; CLUSTER], vec![0; MAX_FRAME + 1], noise(&mut random, 100_000)] {
        assert!(!compressor.compress(&data, 1, &mut frame));
        assert!(frame.is_empty());
    }
    // One byte over a cluster becomes one cluster.
    assert!(compressor.compress(&vec![7; CLUSTER + 1], 1, &mut frame));
    // A cluster saved, but less than a tenth of the bytes.
    let mut data = noise(&mut random, MAX_FRAME);
    data[..5000].fill(0);
    assert!(!compressor.compress(&data, 1, &mut frame));
    data[..20_000].fill(0);
    assert!(compressor.compress(&data, 1, &mut frame));
    assert!(frame.len() < MAX_FRAME - 19_000);
}

#[test]
fn a_frame_is_exactly_its_bytes_and_its_length() {
    let data = texture(&mut Random(3), 50_000);
    let (mut compressor, mut decompressor) = (Compressor::new(), Decompressor::new());
    let mut frame = Vec::new();
    assert!(compressor.compress(&data, 3, &mut frame));
    let mut decode = |frame: &[u8], len: usize| {
        let found = decompressor.decompress(frame, &mut vec![0; len]);
        assert_eq!(found.is_ok(), decompress_independently(frame, len).is_ok());
        found
    };
    decode(&frame, 50_000).unwrap();
    for len in [0, 1, 49_999, 50_001, MAX_FRAME] {
        assert_eq!(decode(&frame, len).unwrap_err().code(), Code::Corrupt);
    }
    for cut in [0, 3, 4, 5, 8, 20, frame.len() - 1] {
        assert_eq!(decode(&frame[..cut], 50_000).unwrap_err().code(), Code::Corrupt);
    }
    let padded = [&frame[..], &[0; 90]].concat();
    assert_eq!(decode(&padded, 50_000).unwrap_err().code(), Code::Corrupt);
    assert_eq!(frame_length(&padded).unwrap(), frame.len());
    // Two frames, or a skippable one behind: not one frame.
    let twice = [&frame[..], &frame[..]].concat();
    assert!(decode(&twice, 50_000).is_err());
    let skippable = [&frame[..], &[0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]].concat();
    assert!(decode(&skippable, 50_000).is_err());
}

#[test]
fn headers_outside_the_format_are_refused() {
    let magic = [0x28, 0xb5, 0x2f, 0xfd];
    let block = |size: u32| (1u32 | size << 3).to_le_bytes()[..3].to_vec();
    let frame = |header: &[u8]| [&magic[..], header, &block(5), b"hello"].concat();
    let length = |header: &[u8]| frame_length(&frame(header));
    assert!(length(&[0x20, 5]).is_ok());
    assert!(length(&[0x80, 0, 5, 0, 0, 0]).is_ok());
    // Checksum, dictionary, reserved bit, no size, giant window, giant size, empty.
    for header in [
        &[0x24, 5][..],
        &[0x21, 1, 5],
        &[0x28, 5],
        &[0x00, 0],
        &[0x80, 0xff, 5, 0, 0, 0],
        &[0x80, 0x39, 5, 0, 0, 0],
        &[0xe0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0xa0, 1, 0, 2, 0],
        &[0x20, 0],
    ] {
        assert_eq!(length(header).unwrap_err().code(), Code::Corrupt, "{header:x?}");
    }
    assert!(frame_length(b"").is_err());
}

#[test]
fn damaged_frames_never_panic_and_never_overrun() {
    let mut random = Random(5);
    let (mut compressor, mut decompressor) = (Compressor::new(), Decompressor::new());
    let mut frame = Vec::new();
    for round in 0..40 {
        let data = texture(&mut random, 9000 + round * 1500);
        assert!(compressor.compress_parts(&data, [1, 3, 9][round % 3], &mut frame));
        let mut out = vec![0; data.len()];
        for _ in 0..60 {
            let mut damaged = frame.clone();
            for _ in 0..1 + random.below(4) {
                let at = random.below(damaged.len());
                damaged[at] ^= 1 << random.below(8);
            }
            if random.below(4) == 0 {
                damaged.truncate(random.below(damaged.len()));
            }
            let first = decompressor.decompress(&damaged, &mut out);
            if let (Ok(()), Ok(second)) = (first, decompress_independently(&damaged, data.len())) {
                assert!(out == second, "the decoders disagree");
            }
            let mut prefix = vec![0; data.len() / 2];
            let _ = decompressor.decompress_prefix(&damaged, data.len(), &mut prefix);
        }
        decompressor.decompress(&frame, &mut out).unwrap();
        assert!(out == data, "a context recovers from damage");
    }
}
