/// Tells what a file is that is no capture.
enum CaptureFinding {
    private static let accepted = "pcap and pcapng files can be read"

    /// Beginnings of files that people take for captures, and what to do about them.
    private static let known: [(bytes: [UInt8], text: String)] = [
        ([0x1f, 0x8b], "compressed by gzip; unpack it with `gunzip`"),
        ([0xfd, 0x37, 0x7a, 0x58, 0x5a], "compressed by xz; unpack it with `unxz`"),
        ([0x28, 0xb5, 0x2f, 0xfd], "compressed by zstd; unpack it with `unzstd`"),
        ([0x04, 0x22, 0x4d, 0x18], "compressed by lz4; unpack it with `unlz4`"),
        ([0x42, 0x5a, 0x68], "compressed by bzip2; unpack it with `bunzip2`"),
        ([0x50, 0x4b, 0x03, 0x04], "a zip archive; unpack it with `unzip`"),
        (Array("snoop\0".utf8), "a capture of Solaris snoop; `editcap` makes pcap of it"),
        (Array("XCP\0".utf8), "a capture of NetXRay; `editcap` makes pcap of it"),
        (Array("GMBU".utf8), "a capture of Network Monitor; `editcap` makes pcap of it"),
        ([0x7f, 0x45, 0x4c, 0x46], "a program"),
    ]

    static func error(_ name: String, _ beginning: UnsafeRawBufferPointer) -> CaptureError {
        let bytes = unsafe Array(beginning)
        guard !bytes.isEmpty else {
            return CaptureError(.notACapture, "\(name) is empty; \(accepted)")
        }
        if let found = known.first(where: { bytes.starts(with: $0.bytes) }) {
            return CaptureError(.notACapture, "\(name) is \(found.text); \(accepted)")
        }
        let magic = unsafe bytes.count < 4 ? 0 : beginning.loadUnaligned(as: UInt32.self)
        if magic == PcapngBlock.Kind.section.rawValue || PcapLayout.isMagic(magic) {
            return CaptureError(
                .notACapture,
                "\(name) ends after \(bytes.count) bytes, within the header of a capture")
        }
        if bytes.allSatisfy({ $0 >= 32 && $0 < 127 || $0 == 9 || $0 == 10 || $0 == 13 }) {
            return CaptureError(.notACapture, "\(name) is text; \(accepted)")
        }
        let shown = bytes.prefix(8).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        return CaptureError(
            .notACapture, "\(name) begins with \(shown.joined(separator: " ")); \(accepted)")
    }
}
