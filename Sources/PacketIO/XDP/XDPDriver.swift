internal import CPacketIO
package import LVS
internal import Synchronization

/// Serves one interface by AF_XDP: a program in the kernel redirects what is the director's, and
/// frames lie in memory that all interfaces of the worker share, from reception to transmission.
///
/// What the program lets by is the host's and never seen here (packet-io, sections 6 and 11). The
/// kernel says nothing of checksums: frames whose sum was left undone are found by looking, and
/// finished on their way out.
///
/// The worker's thread calls the `PacketDriver` methods; `statistics`, `refresh`, `setHostVLANs`
/// and what describes the interface belong to the housekeeper. What both touch is atomic, hence the
/// unchecked conformance. Safe because every address comes from memory the object or the area owns.
@safe
package final class XDPDriver: InterfaceDriver, @unchecked Sendable {
    /// What can be chosen at opening.
    package struct Options: Sendable {
        /// Interfaces that share the frame memory.
        package var interfaces = 1
        /// Memory and map to share with the other drivers.
        package var commons = DriverCommons()
        /// How many workers share the receive queues, and which of them the driver is for, from 0.
        package var workers = 1
        package var worker = 0
        /// Whether every IPv4 and IPv6 frame to the interface is the director's, served or not.
        package var takesEverything = false

        package init() {}
    }

    package let port: PortIndex
    package let name: String
    let options: Options
    let area: FrameArea
    let redirects: RedirectMap

    // Worker's own: the sockets in use, and the chunks borrowed and queued.
    var queues: UnsafeMutablePointer<xdp_queue>
    private var queueCount: Int
    private var isZeroCopy: Bool
    private var waitDescriptor: Int32
    private var turn = 0
    private let held: UnsafeMutablePointer<UInt32>
    private var heldCount = 0
    /// Frames that were received and not released.
    private var lent = 0
    /// Whether a fill ring has less than it may have, for want of chunks.
    private var isShort = false
    var queued: UInt32 = 0
    var queuedBytes = 0

    // Housekeeper's own.
    var current: XDPSockets
    var retired: XDPSockets?
    var hostVLANs: Set<UInt16> = []
    var earlier: (ringFull: UInt64, tooLong: UInt64, notSent: UInt64) = (0, 0, 0)
    var advice = Advice()

    // Between the two.
    /// Sockets to change to; stored by `refresh` (release), taken by `receive` (acquire).
    let replacement = unsafe Atomic<UnsafeMutableRawPointer?>(nil)
    let cells = AFPacketCells()
    /// Frames sent from a copy, and long frames whose sum their sender had left undone.
    let copied = CounterCell()
    let undone = CounterCell()

    /// Opens the interface in the calling thread's network namespace.
    package init(
        interface name: String, port: PortIndex, options: Options = Options()
    ) throws(DriverError) {
        let found = try InterfaceDescription(named: name)
        let area = try options.commons.area(
            for: found, interfaces: options.interfaces, worker: options.worker)
        let redirects = try options.commons.redirects(for: name)
        let sockets = try Self.sockets(found, area, redirects, hostVLANs: [], options)
        self.port = port
        self.name = name
        self.options = options
        self.area = area
        self.redirects = redirects
        current = sockets
        unsafe queues = sockets.queues
        queueCount = sockets.count
        isZeroCopy = sockets.isZeroCopy
        waitDescriptor = sockets.descriptor
        unsafe held = .allocate(capacity: area.count)
        unsafe held.initialize(repeating: 0, count: area.count)
        fill()
        try sockets.beginReceiving()
        redirects.follow(sockets.attachment)
    }

    deinit {
        unsafe held.deallocate()
    }

    /// Attaches the program, unless another worker has, and opens a socket on every receive queue of
    /// this worker.
    static func sockets(
        _ interface: InterfaceDescription, _ area: FrameArea, _ redirects: RedirectMap,
        hostVLANs: Set<UInt16>, _ options: Options
    ) throws(DriverError) -> XDPSockets {
        let queues = try XDPSockets.queues(
            of: interface.name, worker: options.worker, of: options.workers)
        let subject = RedirectProgram.Subject(
            station: interface.hardware, hostVLANs: hostVLANs, blocks: redirects.blocks,
            takesEverything: options.takesEverything)
        let attachment = try options.commons.attachment(to: interface) {
            () throws(DriverError) in
            try RedirectAttachment(
                interface: interface, queues: UInt32(queues.all), map: redirects, subject: subject)
        }
        return try XDPSockets(
            attachment: attachment, interface: interface, numbers: queues.own, area: area)
    }

    package var descriptor: Int32? { waitDescriptor }

    package func receive(into burst: inout Burst) -> Int {
        if unsafe replacement.load(ordering: .relaxed) != nil { changeSockets() }
        var appended = 0
        var bytes = 0
        var longUndone = 0
        for _ in 0..<queueCount {
            // Queues take turns at being first, since a burst may be full before the last.
            let queue = unsafe queues + turn
            turn = turn + 1 < queueCount ? turn + 1 : 0
            let count = unsafe min(xdp_filled(&queue.pointee.receive), UInt32(burst.room))
            guard count > 0 else { continue }
            for index in 0..<count {
                let entry = unsafe xdp_received(&queue.pointee.receive, index)
                guard let frame = frame(of: entry) else { continue }
                bytes += Int(frame.length)
                if frame.isPartial, frame.length > 1000 { longUndone += 1 }
                burst.append(frame)
                appended += 1
            }
            unsafe xdp_consume(&queue.pointee.receive, count)
        }
        lent += appended
        if appended > 0 {
            cells.received.raise(by: appended)
            cells.receivedBytes.raise(by: bytes)
            undone.raise(by: longUndone)
        } else if lent == 0, heldCount > 0 || isShort {
            // Nobody releases what is no frame, nor fills what gets none.
            release()
        }
        return appended
    }

    package func release() {
        for index in 0..<heldCount { unsafe area.release(Int(held[index])) }
        heldCount = 0
        lent = 0
        fill()
    }

    package func descriptorFailed() {
        for index in 0..<queueCount { _ = unsafe afpacket_take_error(queues[index].fd) }
    }

    /// The frame of a receive descriptor, its VLAN tag taken out; nil for a descriptor that nothing
    /// was given for.
    @inline(__always)
    private func frame(of entry: xdp_descriptor) -> Frame? {
        guard let chunk = area.chunk(at: entry.address), area.received(chunk) else { return nil }
        unsafe held[heldCount] = UInt32(truncatingIfNeeded: chunk)
        heldCount += 1
        let offset = Int(entry.address - area.address(of: chunk))
        let length = Int(entry.length)
        guard length >= 14, offset + length <= area.chunkBytes else { return nil }
        let start = unsafe area.base + Int(entry.address)
        unsafe afpacket_prefetch(start)
        var frame = unsafe Frame(
            bytes: start, length: length, capacity: area.chunkBytes - offset, headroom: offset,
            ingress: port)
        frame.slot = UInt32(truncatingIfNeeded: chunk)
        takeTagOut(&frame)
        Offload.detectPartial(&frame)
        return frame
    }

    /// Does what the kernel does for packet sockets: the outermost tag stands beside the frame.
    @inline(__always)
    private func takeTagOut(_ frame: inout Frame) {
        let word = unsafe frame.bytes.loadUnaligned(fromByteOffset: 12, as: UInt32.self).bigEndian
        guard word >> 16 == 0x8100 || word >> 16 == 0x88a8, frame.length >= 18 else { return }
        unsafe (frame.bytes + 4).copyMemory(from: frame.bytes, byteCount: 12)
        unsafe frame.bytes += 4
        frame.length -= 4
        frame.capacity -= 4
        frame.headroom += 4
        frame.vlan = word
    }

    /// Gives free chunks to the kernel, each queue its share of what an interface may have there.
    private func fill() {
        complete()
        isShort = false
        let most = max(64, XDPSockets.sizes.fill / UInt32(queueCount))
        let size = XDPSockets.sizes.fill
        for number in 0..<queueCount {
            let queue = unsafe queues + number
            let room = unsafe xdp_room(&queue.pointee.fill)
            let there = size - min(room, size)
            guard there < most else { continue }
            var count: UInt32 = 0
            while count < most - there, let chunk = area.takeForFilling(port) {
                unsafe xdp_put_address(&queue.pointee.fill, count, area.address(of: chunk))
                count += 1
            }
            if count < most - there { isShort = true }
            if count > 0 { unsafe xdp_produce(&queue.pointee.fill, count) }
            unsafe xdp_wake_receive(queue)
        }
    }

    /// Takes back chunks whose frames the kernel has sent.
    func complete() {
        let queue = unsafe queues
        let count = unsafe xdp_filled(&queue.pointee.completion)
        guard count > 0 else { return }
        for index in 0..<count {
            let address = unsafe xdp_completed(&queue.pointee.completion, index)
            if let chunk = area.chunk(at: address) { area.completed(chunk) }
        }
        unsafe xdp_consume(&queue.pointee.completion, count)
    }

    /// Whether the kernel takes frames to send in `xdp_send` alone, so that they can be taken back.
    var sendsInCalls: Bool { !isZeroCopy }

    /// Changes to sockets that the housekeeper opened; the old ones' interface is gone, and with it
    /// whatever they still held.
    private func changeSockets() {
        let taken = unsafe replacement.exchange(nil, ordering: .acquiringAndReleasing)
        guard let taken = unsafe taken else { return }
        let sockets = unsafe Unmanaged<XDPSockets>.fromOpaque(taken).takeUnretainedValue()
        unsafe queues = sockets.queues
        queueCount = sockets.count
        isZeroCopy = sockets.isZeroCopy
        waitDescriptor = sockets.descriptor
        turn = 0
        queued = 0
        queuedBytes = 0
        area.recover(port)
        fill()
    }
}
