internal import CPacketIO
internal import LVS
internal import Posix

/// The AF_XDP sockets of one interface and worker, one for each of its receive queues, and the program
/// that redirects to them.
///
/// Safe because rings are reached through the queue they belong to, which lives as long as this.
@safe
final class XDPSockets {
    /// Entries of the rings: as deep as a burst of the wire, and the kernel's two twice as deep.
    static let sizes = xdp_sizes(receive: 2048, transmit: 2048, fill: 4096, completion: 4096)
    private static let mostQueues = 64

    let attachment: RedirectAttachment
    let queues: UnsafeMutablePointer<xdp_queue>
    let count: Int
    /// The receive queues' numbers on the interface.
    private let numbers: [Int]
    /// Readable when a frame waits on any queue.
    let descriptor: Int32
    private let joined: Int32

    init(
        attachment: RedirectAttachment, interface: InterfaceDescription, numbers: [Int],
        area: FrameArea
    ) throws(DriverError) {
        let wanted = numbers.count
        self.attachment = attachment
        self.numbers = numbers
        unsafe queues = .allocate(capacity: wanted)
        var opened = 0
        do throws(DriverError) {
            for number in 0..<wanted {
                let queue = try unsafe Self.open(
                    numbers[number], of: interface, isGeneric: attachment.isGeneric,
                    area: area)
                unsafe (queues + number).initialize(to: queue)
                opened += 1
            }
            joined = try unsafe Self.join(queues, wanted, interface.name)
        } catch {
            for number in 0..<opened { unsafe xdp_close(queues + number) }
            unsafe queues.deallocate()
            throw error
        }
        count = wanted
        descriptor = unsafe joined >= 0 ? joined : queues[0].fd
    }

    deinit {
        if joined >= 0 { xdp_close_joined(joined) }
        for number in 0..<count { unsafe xdp_close(queues + number) }
        unsafe queues.deallocate()
    }

    /// How many receive queues an interface has, and which of them are a worker's: those whose number
    /// leaves the worker's when divided by the number of workers.
    static func queues(
        of interface: String, worker: Int, of workers: Int
    ) throws(DriverError) -> (all: Int, own: [Int]) {
        let count = try queueCount(of: interface)
        guard count >= workers else {
            throw DriverError(
                .system,
                "\(interface): \(workers) workers need a receive queue each, and there "
                    + (count == 1 ? "is one" : "are \(count)")
                    + "; make more (ethtool -L \(interface) combined \(workers); on a veth rx"
                    + " \(workers) tx \(workers)), or use --workers \(count) or"
                    + " afpacket:\(interface)")
        }
        return (count, (0..<count).filter { $0 % workers == worker })
    }

    private static func queueCount(of interface: String) throws(DriverError) -> Int {
        let count = unsafe Int(xdp_queue_count(interface))
        guard count <= mostQueues else {
            throw DriverError(
                .system,
                "\(interface): \(count) receive queues, and AF_XDP here serves \(mostQueues); reduce"
                    + " them (ethtool -L \(interface) combined \(mostQueues)) or use"
                    + " afpacket:\(interface)")
        }
        return count
    }

    /// Has the program redirect to the sockets; their fill rings have memory.
    func beginReceiving() throws(DriverError) {
        for number in 0..<count {
            try attachment.redirect(queue: numbers[number], to: unsafe queues[number].fd)
        }
    }

    var isZeroCopy: Bool { (0..<count).allSatisfy { unsafe queues[$0].is_zero_copy != 0 } }

    /// Frames lost on all queues since the sockets were opened.
    var losses: (ringFull: UInt64, tooLong: UInt64, notSent: UInt64) {
        var sum: (ringFull: UInt64, tooLong: UInt64, notSent: UInt64) = (0, 0, 0)
        for number in 0..<count {
            var one = xdp_losses()
            unsafe xdp_count_losses(queues[number].fd, &one)
            sum.ringFull += one.ring_full
            sum.tooLong += one.too_long
            sum.notSent += one.not_sent
        }
        return sum
    }

    private static func open(
        _ number: Int, of interface: InterfaceDescription, isGeneric: Bool, area: FrameArea
    ) throws(DriverError) -> xdp_queue {
        var memory = unsafe xdp_area(
            base: area.base, bytes: UInt64(area.count * area.chunkBytes),
            chunk_bytes: UInt32(area.chunkBytes))
        var sizes = Self.sizes
        var queue = unsafe xdp_queue()
        var step: UnsafePointer<CChar>?
        let result = unsafe xdp_open(
            interface.index, UInt32(number), &memory, &sizes, isGeneric ? 1 : 0, &queue, &step)
        guard result == 0 else {
            let step = if let step = unsafe step { unsafe String(cString: step) } else { "open" }
            throw refusal(SystemError(last: step), interface.name)
        }
        return unsafe queue
    }

    private static func refusal(_ error: SystemError, _ name: String) -> DriverError {
        let (noBuffers, noFamily): (Int32, Int32) = (105, 97)
        switch error.code {
        case noBuffers:
            return DriverError(
                .missingPrivilege,
                "\(name): the frame memory of AF_XDP may not be locked; grant CAP_IPC_LOCK or raise"
                    + " the limit (ulimit -l unlimited, LimitMEMLOCK=infinity) (\(error))")
        case noFamily:
            return DriverError(
                .system, "\(name): this kernel has no AF_XDP; use afpacket:\(name) (\(error))")
        case _ where error.isInUse:
            return DriverError(
                .system,
                "\(name): another AF_XDP socket has a receive queue; end the program that holds it"
                    + " or use afpacket:\(name) (\(error))")
        default: return .redirect(error, interface: name)
        }
    }

    /// -1 where one queue needs no joining.
    private static func join(
        _ queues: UnsafeMutablePointer<xdp_queue>, _ count: Int, _ name: String
    ) throws(DriverError) -> Int32 {
        guard count > 1 else { return -1 }
        let descriptors = (0..<count).map { unsafe queues[$0].fd }
        let joined = unsafe xdp_join(descriptors, UInt32(count))
        guard joined >= 0 else { throw DriverError(SystemError(last: "epoll"), interface: name) }
        return joined
    }
}
