import LVS
import TestKit
import Testing

@Suite struct CRC32CTests {
    private func checksum(_ bytes: [UInt8]) -> UInt32 {
        var bytes = bytes
        return unsafe bytes.withUnsafeMutableBytes { memory in
            guard let base = memory.baseAddress else { return 0 }
            return unsafe CRC32C.checksum(base, count: memory.count)
        }
    }

    static let vectors: [([UInt8], UInt32)] = [
        (Array("123456789".utf8), 0xe306_9283),
        // RFC 3720 appendix B.4.
        ([UInt8](repeating: 0, count: 32), 0x8a91_36aa),
        ([UInt8](repeating: 0xff, count: 32), 0x62a8_ab43),
        (Array(0..<32), 0x46dd_794e),
    ]

    @Test(arguments: CRC32CTests.vectors)
    func `Published vectors come out`(bytes: [UInt8], expected: UInt32) {
        #expect(checksum(bytes) == expected)
    }

    @Test func `Every length agrees with the bit by bit sum`() {
        var random = SeededGenerator(seed: 32)
        for length in 12..<80 {
            var bytes = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            for index in 8..<12 { bytes[index] = 0 }
            #expect(checksum(bytes) == bytes.sctpChecksum(), "\(length) bytes")
        }
    }
}
