import LVS
import Testing

@Suite("FTP helper")
struct FTPTests {
    private static let six = IPAddress(high: 0x2001_0db8_0000_0000, low: 0x11)

    @Test(
        "A client's command says which data connection it wants",
        arguments: [
            ("PASV\r\n", FTP.Request.passive),
            ("pasv\r\n", .passive),
            ("NOOP\r\nPASV\r\n", .passive),
            ("EPSV\r\n", .extendedPassive),
            ("EPSV 1\r\n", .extendedPassive),
            ("xEPSV  ", nil),
            ("EPSV 2\r\n", nil),
            ("EPSV ALL\r\n", nil),
            ("PASV\n", nil),
            ("PAS", nil),
            ("", nil),
            (
                "PORT 198,51,100,1,195,80\r\n",
                .active(IPAddress(v4: 0xc633_6401), port: 50000, range: 5..<24)
            ),
            (
                "port  198,51,100,1,195,80\r\n",
                .active(IPAddress(v4: 0xc633_6401), port: 50000, range: 6..<25)
            ),
            (
                "PORT198,51,100,1,195,80\r\n",
                .active(IPAddress(v4: 0xc633_6401), port: 50000, range: 4..<23)
            ),
            ("PORT 198,51,100,1,195,80", nil),
            ("PORT 198,51,100,1,195\r\n", nil),
            (
                "PORT 198,51,100,1,195,80,9\r\n",
                .active(IPAddress(v4: 0xc633_6401), port: 50000, range: 5..<24)
            ),
            (
                "PORT 454,51,100,257,451,336\r\n",
                .active(IPAddress(v4: 0xc633_6401), port: 50000, range: 5..<27)
            ),
            ("NOOP\r\nPORT 198,51,100,1,195,80\r\n", nil),
            (
                "EPRT |1|198.51.100.1|50000|\r\n",
                .active(IPAddress(v4: 0xc633_6401), port: 50000, range: 5..<27)
            ),
            (
                "EPRT !1!198.051.100.1!50000!",
                .active(IPAddress(v4: 0xc633_6401), port: 50000, range: 5..<28)
            ),
            (
                "EPRT |1|198.51.100.1|115536|\r\n",
                .active(IPAddress(v4: 0xc633_6401), port: 50000, range: 5..<28)
            ),
            ("EPRT |1|198.51.100.1|0|\r\n", nil),
            ("EPRT |1|198.51.100.1|50000\r\n", nil),
            ("EPRT |1|198.51.100.256|50000|\r\n", nil),
            ("EPRT |1|198.51.100|50000|\r\n", nil),
            ("EPRT |||50000|\r\n", nil),
            ("EPRT |2|2001:db8::11|50000|\r\n", nil),
            ("EPRT |1", nil),
        ] as [(String, FTP.Request?)])
    func request(_ text: String, _ expected: FTP.Request?) {
        #expect(FTP.request(in: Array(text.utf8), family: .v4) == expected, "\(text)")
    }

    @Test(
        "With IPv6 the words of IPv4 mean nothing",
        arguments: [
            ("PASV\r\n", nil),
            ("PORT 198,51,100,1,195,80\r\n", nil),
            ("EPSV\r\n", .extendedPassive),
            ("EPSV 2\r\n", .extendedPassive),
            ("EPSV 1\r\n", nil),
            ("EPRT |2|2001:db8::11|50000|\r\n", .active(six, port: 50000, range: 5..<27)),
            ("EPRT |1|198.51.100.1|50000|\r\n", nil),
            ("EPRT |2|::ffff:198.51.100.1|50000|\r\n", nil),
        ] as [(String, FTP.Request?)])
    func requestOverIPv6(_ text: String, _ expected: FTP.Request?) {
        #expect(FTP.request(in: Array(text.utf8), family: .v6) == expected, "\(text)")
    }

    @Test(
        "A server's answer says where it waits, and where in the text that stands",
        arguments: [
            ("227 Entering (10,2,0,12,156,64)\r\n", 0x0a02_000c, 40000, "10,2,0,12,156,64"),
            ("227 10,2,0,12,156,64\r\n", 0x0a02_000c, 40000, "10,2,0,12,156,64"),
            ("227 at ( 10,2,0,12,156,64).\r\n", 0x0a02_000c, 40000, "10,2,0,12,156,64"),
        ] as [(String, UInt32, UInt16, String)])
    func passiveAnswer(_ text: String, _ address: UInt32, _ port: UInt16, _ part: String) throws {
        let bytes = Array(text.utf8)
        let found = try #require(FTP.answer(in: bytes, to: .passive, family: .v4), "\(text)")
        #expect(found.address == IPAddress(v4: address), "\(text)")
        #expect(found.port == port, "\(text)")
        #expect(String(decoding: bytes[found.range], as: UTF8.self) == part, "\(text)")
    }

    @Test(
        "The extended answer may leave the address out",
        arguments: [
            ("229 Extended (|||40000|)\r\n", nil, "|||40000|"),
            ("229 (!!!40000!)\r\n", nil, "!!!40000!"),
            ("229 ( |1|10.2.0.12|40000|)", IPAddress(v4: 0x0a02_000c), "|1|10.2.0.12|40000|"),
        ] as [(String, IPAddress?, String)])
    func extendedAnswer(_ text: String, _ address: IPAddress?, _ part: String) throws {
        let bytes = Array(text.utf8)
        let found = try #require(
            FTP.answer(in: bytes, to: .extendedPassive, family: .v4), "\(text)")
        #expect(found.address == address, "\(text)")
        #expect(found.port == 40000, "\(text)")
        #expect(String(decoding: bytes[found.range], as: UTF8.self) == part, "\(text)")
    }

    @Test(
        "An answer that is not the one waited for, or not whole, is none",
        arguments: [
            ("229 (|||40000|)\r\n", FTP.Mode.passive),
            ("227 (10,2,0,12,156,64)\r\n", .extendedPassive),
            ("227 (10,2,0,12,156,64)\r\n", .active),
            ("227-(10,2,0,12,156,64)\r\n", .passive),
            ("227 (10,2,0,12,156,", .passive),
            ("227 (10,2,0,12,156,64", .passive),
            ("227 (10,2,0,12)\r\n", .passive),
            ("227 no numbers\r\n", .passive),
            ("229 |||40000|\r\n", .extendedPassive),
            ("229 (||40000|)\r\n", .extendedPassive),
            ("229 (|||0|)\r\n", .extendedPassive),
            ("229 (|||40000", .extendedPassive),
            ("229 (|2|2001:db8::1|40000|)", .extendedPassive),
            ("229 (", .extendedPassive),
            ("229", .extendedPassive),
        ] as [(String, FTP.Mode)])
    func noAnswer(_ text: String, _ mode: FTP.Mode) {
        #expect(FTP.answer(in: Array(text.utf8), to: mode, family: .v4) == nil, "\(text)")
    }

    @Test("The new text names the virtual address with 227 and the port alone with 229")
    func replacement() {
        let address = IPAddress(v4: 0x0a01_0064)
        #expect(text(.passive, address, 40000) == "10,1,0,100,156,64")
        #expect(text(.passive, IPAddress(v4: .max), .max) == "255,255,255,255,255,255")
        #expect(text(.passive, IPAddress(v4: 0), 0) == "0,0,0,0,0,0")
        #expect(text(.extendedPassive, address, 40000) == "|||40000|")
        #expect(text(.extendedPassive, address, 7) == "|||7|")
    }

    private func text(_ mode: FTP.Mode, _ address: IPAddress, _ port: UInt16) -> String {
        let text = FTP.text(mode, address: address, port: port)
        return String(decoding: (0..<text.count).map { text[$0] }, as: UTF8.self)
    }

    @Test("Random bytes around the words never do more than fail")
    func randomBytes() {
        var random = SeededGenerator(seed: 21)
        let words = ["227 (", "229 (|", "PORT ", "EPRT |1|", "PASV\r\n", "EPSV ", "1,2,3,4,", "|"]
        for turn in 0..<20_000 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                bytes += Array(words.randomElement(using: &random)?.utf8 ?? "".utf8)
                for _ in 0..<Int.random(in: 0...5, using: &random) {
                    bytes.append(UInt8.random(in: 0...255, using: &random))
                }
            }
            for family in [AddressFamily.v4, .v6] {
                _ = FTP.request(in: bytes, family: family)
                for mode in [FTP.Mode.passive, .extendedPassive] {
                    guard let found = FTP.answer(in: bytes, to: mode, family: family) else {
                        continue
                    }
                    #expect(
                        found.range.lowerBound >= 4 && found.range.upperBound <= bytes.count,
                        "turn \(turn): \(found.range) of \(bytes.count) bytes")
                }
            }
        }
    }
}
