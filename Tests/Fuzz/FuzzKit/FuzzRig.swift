import LVS

/// A director with services of many kinds, fed with frames whose memory ends where the frame ends, so
/// that the address sanitizer sees every step beyond.
@safe
final class FuzzRig {
    static let headroom = 128

    let director: Director
    private(set) var now = Instant(nanoseconds: 3_600_000_000_000)
    private let tableMemory: UnsafeMutableRawPointer
    private var burst = Burst()

    init() {
        let configuration = Director.Configuration(connections: 4096, seed: 1)
        let bytes = Director.tableBytes(configuration)
        unsafe tableMemory = .allocate(byteCount: bytes, alignment: 4096)
        unsafe tableMemory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        director = unsafe Director(
            configuration, tableMemory: TableMemory(base: tableMemory, count: bytes), now: now)
        FuzzWorld.setUp(director)
    }

    deinit { unsafe tableMemory.deallocate() }

    // MARK: Frames

    /// What a frame of an input comes with.
    struct Arrival {
        var port: PortIndex = 0
        var checksum: ChecksumState = .complete
        var mark: UInt32 = 0
        /// Writable bytes behind the frame.
        var spare = 0
        var segmentSize: UInt16 = 0
    }

    func pass(milliseconds: UInt64) {
        now = now.advanced(byMilliseconds: milliseconds)
        director.tick(now)
    }

    /// Takes frames through the worker in one burst, and looks at what became of them.
    func send(_ frames: [(bytes: [UInt8], arrival: Arrival)]) {
        var memory: [UnsafeMutableRawPointer] = unsafe []
        for (bytes, arrival) in frames.prefix(Burst.capacity) {
            unsafe memory.append(load(bytes, arrival))
        }
        director.workers[0].wake()
        director.workers[0].process(&burst, now: now)
        director.workers[0].rest()
        for index in 0..<burst.count { check(burst[index]) }
        for index in 0..<burst.madeCount { check(burst.madeFrame(index).frame) }
        burst.removeAll()
        for index in unsafe memory.indices { unsafe memory[index].deallocate() }
    }

    private func load(_ bytes: [UInt8], _ arrival: Arrival) -> UnsafeMutableRawPointer {
        let base = UnsafeMutableRawPointer.allocate(
            byteCount: FuzzRig.headroom + bytes.count + arrival.spare, alignment: 16)
        let start = unsafe base + FuzzRig.headroom
        unsafe bytes.withUnsafeBytes { source in
            if let address = source.baseAddress {
                unsafe start.copyMemory(from: address, byteCount: bytes.count)
            }
        }
        var frame = unsafe Frame(
            bytes: start, length: bytes.count, capacity: bytes.count + arrival.spare,
            headroom: FuzzRig.headroom, ingress: arrival.port)
        frame.checksum = arrival.checksum
        frame.mark = arrival.mark
        if arrival.checksum == .partial, bytes.count >= 54 {
            frame.checksumStart = 34
            frame.checksumOffset = bytes[23] == 17 ? 6 : 16
        }
        if arrival.segmentSize != 0, bytes.count >= 54 {
            frame.segmentKind = 1
            frame.segmentSize = arrival.segmentSize
            frame.headerLength = 54
            frame.checksum = .partial
            (frame.checksumStart, frame.checksumOffset) = (34, 16)
        }
        burst.append(frame)
        return unsafe base
    }

    /// What leaves is a whole packet in its memory.
    private func check(_ frame: Frame) {
        precondition(frame.length <= frame.capacity, "a frame is longer than its memory")
        guard frame.verdict.kind == .send else { return }
        precondition(frame.verdict.port <= 1, "a frame leaves by a port that exists")
        precondition(frame.length >= 34, "a frame without a packet leaves")
        guard unsafe frame.bytes.loadUnaligned(fromByteOffset: 12, as: UInt16.self) == 0x0008 else {
            return
        }
        let length = unsafe Int(
            frame.bytes.loadUnaligned(fromByteOffset: 16, as: UInt16.self).byteSwapped)
        precondition(
            length + 14 <= Int(frame.length) || frame.segmentSize != 0,
            "a packet is longer than its frame")
        var sum: UInt32 = 0
        let header = unsafe Int(frame.bytes.load(fromByteOffset: 14, as: UInt8.self) & 15) * 4
        precondition(header >= 20 && 14 + header <= Int(frame.length), "a header is cut off")
        for offset in stride(from: 14, to: 14 + header, by: 2) {
            sum += unsafe UInt32(
                frame.bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
        }
        while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
        precondition(sum == 0xffff, "an IPv4 header leaves with a wrong checksum")
    }

    /// Lets everything end, and looks at what is left: counts of servers match the table.
    func finish() {
        var active = 0
        var inactive = 0
        director.table.forEach { connection in
            // What another director told of may have no server here.
            guard !connection.isTemplate, connection.destination != Destination.none else {
                return
            }
            if connection.isInactive { inactive += 1 } else { active += 1 }
        }
        var counted = (active: 0, inactive: 0)
        for service in director.services() {
            for server in service.servers {
                counted.active += Int(server.active)
                counted.inactive += Int(server.inactive)
            }
        }
        precondition(counted == (active, inactive), "the counts of servers are not the table's")
        for _ in 0..<40 { pass(milliseconds: 30_000) }
        send([])
        precondition(
            director.services().allSatisfy { service in
                service.servers.allSatisfy { $0.active == 0 && $0.inactive == 0 }
            }, "connections are counted that have ended")
    }
}
