import LVS
import Testing

@Suite("SIP persistence engine")
struct SIPTests {
    @Test(
        "The Call-ID is what stands behind its header",
        arguments: [
            ("INVITE x\r\nCall-ID: one@a\r\n\r\n", "one@a"),
            ("INVITE x\r\ncall-id:one@a\r\n", "one@a"),
            ("INVITE x\r\nCALL-ID : one\r\n", "one"),
            ("INVITE x\r\ni: one@a\r\n", "one@a"),
            ("INVITE x\r\nI:one@a\n", "one@a"),
            ("INVITE x\nCall-ID: one@a\n", "one@a"),
            ("INVITE x\rCall-ID: one@a\r", "one@a"),
            ("INVITE x\r\nCall-ID:\r\n one@a\r\n", "one@a"),
            ("INVITE x\r\nCall-ID\r\n\t: one@a\r\n", "one@a"),
            ("INVITE x\r\nVia: y\r\n\r\nCall-ID: one@a\r\n", "one@a"),
            ("INVITE x\r\nCall-ID: a-.!%*_+`'~()<>:\\\"/[]?{}9\r\n", "a-.!%*_+`'~()<>:\\\"/[]?{}9"),
            ("INVITE x\r\nCall-ID: @\r\nCall-ID: two@b\r\n", "two@b"),
        ])
    func found(_ text: String, _ expected: String) throws {
        let bytes = Array(text.utf8)
        let range = try #require(SIP.callID(in: bytes), "\(text)")
        #expect(String(decoding: bytes[range], as: UTF8.self) == expected, "\(text)")
    }

    @Test(
        "A message without a Call-ID that ends its line has none",
        arguments: [
            "", "\r\n", "Call-ID: one@a\r\n", "INVITE x\r\n Call-ID: one@a\r\n",
            "INVITE x\r\nCall-ID: one@a", "INVITE x\r\nCall-ID: one@a;x\r\n",
            "INVITE x\r\nCall-ID: one@a \r\n", "INVITE x\r\nCall-ID: one@\r\n",
            "INVITE x\r\nCall-ID one@a\r\n", "INVITE x\r\nCall-ID", "INVITE x\r\nCall-ID:",
            "INVITE x\r\nCall-ID:  ", "INVITE x\r\nid: one@a\r\n", "INVITE x\r\ni",
            "INVITE x\r\nCall-ID:\r\none@a\r\n", "INVITE x\n\nCall-ID: one@a\r\n", "not SIP",
        ])
    func absent(_ text: String) {
        #expect(SIP.callID(in: Array(text.utf8)) == nil, "\(text)")
    }

    @Test("A Call-ID of 255 bytes is told apart, one of 256 is none")
    func limit() {
        let head = Array("INVITE x\r\nCall-ID: ".utf8)
        for (count, isFound) in [(255, true), (256, false)] {
            let id = [UInt8](repeating: UInt8(ascii: "a"), count: count)
            let range = SIP.callID(in: head + id + Array("\r\n".utf8))
            #expect((range?.count == count) == isFound, "\(count) bytes")
        }
    }

    @Test("Random bytes around the words never do more than fail")
    func randomBytes() {
        var random = SeededGenerator(seed: 5060)
        let words = ["\r\nCall-ID", "\ni", ":", " ", "\r\n ", "a@b", "\r", "\n", "\t"]
        for turn in 0..<20_000 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 0...8, using: &random) {
                bytes += Array(words.randomElement(using: &random)?.utf8 ?? "".utf8)
                if Bool.random(using: &random) {
                    bytes.append(UInt8.random(in: 0...255, using: &random))
                }
            }
            guard let range = SIP.callID(in: bytes) else { continue }
            #expect(
                !range.isEmpty && range.upperBound < bytes.count,
                "turn \(turn): \(range) of \(bytes.count) bytes")
        }
    }
}
