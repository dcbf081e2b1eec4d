internal import CReference
internal import LVS
internal import Posix

/// A ring of 4096 frames as a driver has it, handed to the engine in bursts of 64 and to the C
/// reference in batches of 64.
@safe
final class Ring {
    static let frames = 4096
    /// Not 2048: frames at such a stride fall into the same cache sets.
    private static let spacing = 2048 + 64
    private static let headroom = 64
    private static let length = 60

    /// A burst that can stand in an array.
    private final class Box {
        var burst = Burst()
    }

    /// In large pages, as a ring of the driver is: otherwise each frame costs a page walk.
    private let mapping: MappedMemory
    private let memory: UnsafeMutableRawPointer
    private let bursts: [Box]
    private let references: UnsafeMutablePointer<reference_frame>

    init() throws {
        mapping = try MappedMemory(bytes: Ring.frames * Ring.spacing)
        unsafe memory = mapping.base
        bursts = (0..<Ring.frames / Burst.capacity).map { _ in Box() }
        unsafe references = .allocate(capacity: Ring.frames)
        unsafe references.initialize(repeating: reference_frame(), count: Ring.frames)
    }

    deinit {
        unsafe references.deallocate()
    }

    private func bytes(_ frame: Int) -> UnsafeMutableRawPointer {
        unsafe memory + frame * Ring.spacing + Ring.headroom
    }

    /// Writes a TCP packet of a connection in a direction.
    func write(
        _ frame: Int, _ connection: Int, _ direction: Direction, _ world: World, flags: UInt8
    ) {
        let bytes = unsafe bytes(frame)
        let client =
            direction == .inbound ? World.client(connection) : world.peerOf[connection]
        let server = World.server(Int(world.serverOf[connection])).v4
        let inbound = direction == .inbound
        unsafe put(bytes, 0, 0x0200_0000)
        unsafe put(bytes, 4, inbound ? 0x0001_0200 : 0x0002_0200)
        unsafe put(bytes, 8, 0x0000_0999)
        unsafe put(bytes, 12, 0x0800_4500)
        unsafe put(bytes, 16, 0x0028_1234)
        unsafe put(bytes, 20, 0x4000_4006)
        unsafe put(bytes, 24, 0xabcd << 16 | (inbound ? client.address : server) >> 16)
        unsafe put(
            bytes, 28,
            (inbound ? client.address : server) << 16
                | (inbound ? World.virtual.v4 : client.address) >> 16)
        unsafe put(
            bytes, 32,
            (inbound ? World.virtual.v4 : client.address) << 16
                | UInt32(inbound ? client.port : 8080))
        unsafe put(bytes, 36, UInt32(inbound ? 80 : client.port) << 16)
        unsafe put(bytes, 44, 0x0000_5000 | UInt32(flags))
        unsafe put(bytes, 48, 0xffff_5678)
        unsafe Checksum.writeHeader(bytes + 14, count: 20)
    }

    private func put(_ bytes: UnsafeMutableRawPointer, _ offset: Int, _ value: UInt32) {
        unsafe bytes.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt32.self)
    }

    /// Number of the server that a forwarded packet from the client goes to.
    func server(_ frame: Int) -> UInt8 {
        unsafe bytes(frame).load(fromByteOffset: 33, as: UInt8.self) &- 1
    }

    /// Who a forwarded packet seems to come from.
    func peer(_ frame: Int) -> (address: UInt32, port: UInt16) {
        let bytes = unsafe bytes(frame)
        return unsafe (
            UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 26, as: UInt32.self)),
            UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 34, as: UInt16.self))
        )
    }

    /// Puts the first `count` frames into bursts and batches.
    func fill(_ count: Int = Ring.frames) {
        for box in bursts { box.burst.removeAll() }
        for frame in 0..<count {
            unsafe bursts[frame / Burst.capacity].burst.append(
                Frame(
                    bytes: bytes(frame), length: Ring.length,
                    capacity: Ring.spacing - Ring.headroom, headroom: Ring.headroom, ingress: 0))
            unsafe references[frame].bytes = bytes(frame).assumingMemoryBound(to: UInt8.self)
            unsafe references[frame].length = UInt32(Ring.length)
            unsafe references[frame].verdict = 0
        }
    }

    /// Takes all bursts through a worker.
    @inline(never)
    func process(_ worker: Worker, now: Instant) {
        for box in bursts { worker.process(&box.burst, now: now) }
    }

    /// As above, for the first `count` frames; returns how many of them are to be sent.
    func process(_ worker: Worker, now: Instant, count: Int) -> Int {
        process(worker, now: now)
        return sent(count)
    }

    /// Fills the ring with packets of random connections, in both directions.
    func writeRandomFlows(of world: World, _ random: inout Generator) {
        world.passTime()
        for frame in 0..<Ring.frames {
            let word = random.next()
            let connection = Int(((word >> 32) &* UInt64(world.connections)) >> 32)
            write(frame, connection, word & 1 == 0 ? .inbound : .outbound, world, flags: 16)
        }
        fill()
    }

    /// Takes a ring of random flows through the engine; returns ns a packet of thread CPU time.
    func window(of world: World, _ random: inout Generator) -> Double {
        writeRandomFlows(of: world, &random)
        let start = MonotonicClock.threadTime()
        process(world.director.workers[0], now: world.now)
        let end = MonotonicClock.threadTime()
        precondition(sent() == Ring.frames, "every packet is a hit")
        return Double(end - start) / Double(Ring.frames)
    }

    func sent(_ count: Int = Ring.frames) -> Int {
        (0..<count).count { frame in
            bursts[frame / Burst.capacity].burst[frame % Burst.capacity].verdict.kind == .send
        }
    }

    /// Takes all batches through the C reference; returns how many frames were forwarded.
    @inline(never)
    func process(_ reference: Reference) -> Int {
        var sent = 0
        for start in stride(from: 0, to: Ring.frames, by: Burst.capacity) {
            sent += unsafe Int(
                reference_process(reference.path, references + start, Int32(Burst.capacity)))
        }
        return sent
    }
}
