import Glibc
import PacketIO
import Testing

@Suite struct QueueMessageTests {
    private static func attribute(_ type: UInt16, _ payload: [UInt8]) -> [UInt8] {
        let length = UInt16(4 + payload.count)
        let padding = [UInt8](repeating: 0, count: (4 - payload.count % 4) % 4)
        return [UInt8(length & 255), UInt8(length >> 8), UInt8(type & 255), UInt8(type >> 8)]
            + payload + padding
    }

    private static func message(type: UInt16, _ body: [UInt8]) -> [UInt8] {
        let length = UInt32(16 + body.count)
        return (0..<4).map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) }
            + [UInt8(type & 255), UInt8(type >> 8), 0, 0] + [UInt8](repeating: 0, count: 8) + body
    }

    /// As the kernel sends it: numbers in network order, the packet last.
    private static let packet: [UInt8] = message(
        type: 3 << 8,
        [2, 0, 0, 5] + attribute(1, [0, 0, 0, 9, 8, 0, 2]) + attribute(3, [0, 0, 0, 7])
            + attribute(5, [0, 0, 0, 4]) + attribute(9, [0, 6, 0, 0, 2, 0, 0, 0, 0, 0xfe, 0, 0])
            + attribute(14, [0, 0, 0, 3]) + attribute(13, [0, 0, 0, 200])
            + attribute(10, [0x45] + [UInt8](repeating: 1, count: 30)))

    @Test func aPacketIsReadWithAllThatIsSaidOfIt() {
        guard case .packet(let read) = QueueMessage(Self.packet) else {
            Issue.record("not read as a packet")
            return
        }
        #expect(read.id.bigEndian == 9)
        #expect(read.hook == 2)
        #expect(read.etherType == 0x0800)
        #expect(read.mark == 7)
        #expect(read.interface == 4)
        #expect(read.isPartial)
        #expect(read.isSuperFrame)
        #expect(read.contents == [0x45] + [UInt8](repeating: 1, count: 30))
        #expect(read.whole == 200)
    }

    @Test func refusalsAndOtherMessagesAreToldApart() {
        let refusal = Self.message(
            type: 2, [0xfe, 0xff, 0xff, 0xff] + [UInt8](repeating: 0, count: 16))
        #expect(QueueMessage(refusal) == .refused(2))
        let answer = Self.message(type: 2, [UInt8](repeating: 0, count: 20))
        #expect(QueueMessage(answer) == .other)
        #expect(QueueMessage(Self.message(type: 3, [])) == .other)
        #expect(QueueMessage([]) == .other)
    }

    /// The byte behind the message belongs to nobody: reading it would end the process.
    @Test func nothingBehindAMessageIsRead() {
        let page = 4096
        let memory = unsafe mmap(
            nil, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let base = unsafe memory, unsafe mprotect(base + page, page, PROT_NONE) == 0 else {
            Issue.record("no memory with a forbidden page behind it")
            return
        }
        defer { unsafe munmap(base, 2 * page) }
        let read = { (bytes: [UInt8]) -> QueueMessage in
            let start = unsafe base + page - bytes.count
            unsafe start.copyMemory(from: bytes, byteCount: bytes.count)
            return unsafe QueueMessage(at: start, count: bytes.count)
        }
        let whole = Self.packet
        for length in 0...whole.count { _ = read(Array(whole.prefix(length))) }
        var state: UInt64 = 0x9e37_79b9_7f4a_7c15
        func random(_ below: Int) -> Int {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Int(state % UInt64(below))
        }
        var packets = 0
        for _ in 0..<200_000 {
            var bytes = whole
            for _ in 0...random(4) {
                // Lengths most of all.
                let place =
                    random(3) == 0 ? random(bytes.count) : random(bytes.count / 4) * 4 + random(2)
                bytes[min(place, bytes.count - 1)] =
                    random(2) == 0 ? UInt8(random(256)) : UInt8(random(8))
            }
            if random(3) == 0 { bytes.removeLast(random(bytes.count)) }
            if case .packet(let read) = read(bytes) {
                packets += 1
                #expect(read.contents.count <= bytes.count)
                #expect(read.whole >= read.contents.count)
            }
        }
        #expect(packets > 1000, "mutations that are still packets: \(packets)")
    }
}
