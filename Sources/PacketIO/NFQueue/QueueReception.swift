internal import CPacketIO
internal import LVS
internal import Synchronization

/// One worker's queue: packets out of it as frames, and what became of them back into it.
///
/// Three ways lead back (packet-io, section 7): accepted as it came, when the packet is none of the
/// director's business; accepted with new contents, when the kernel's own forwarding then leads it
/// where the engine wants it (NAT); taken out of the kernel and sent by a packet socket, which is
/// for everything else (DR, tunnels, NAT on a host that does not forward). A mark alone is never
/// the answer: it could lead a packet to a DR server only by a routing table for each server, which
/// the host would have to be given, and in the place of marks that are somebody else's.
///
/// Used by the worker's thread. Safe because frames lie in memory of the socket, and slots are
/// numbered below the burst's capacity.
@safe
final class QueueReception {
    /// What has to be known of a packet when the engine has decided.
    struct Held {
        var id: UInt32
        var hook: UInt8
        var isIPv6: Bool
        /// Segment size that the frame was given.
        var segmentSize: UInt16
        var flow: PacketFlow
    }

    /// Bytes of an Ethernet header.
    private static let link = 14

    let socket: QueueSocket
    let cells = QueueCells()
    private let surroundings: QueueSurroundings
    /// What the ports' drivers count, by port.
    private var ports: [AFPacketCells?] = Array(
        repeating: nil, count: QueueSurroundings.mostPorts)
    private let held: UnsafeMutablePointer<Held>
    /// Verdicts without contents, one place for each slot, and pieces of the message to the kernel.
    private let verdicts: UnsafeMutablePointer<UInt8>
    private let pieces: UnsafeMutablePointer<lvs_nfq_piece>
    private let ids: UnsafeMutablePointer<UInt32>
    private var answered = 0
    /// Slots of the socket whose packets nobody has released.
    private var used = 0
    private var lastInterface: Int32 = 0
    private var lastPort: PortIndex?
    private var lastStation: UInt64 = 0

    init(_ number: UInt16, _ surroundings: QueueSurroundings) throws(DriverError) {
        socket = try QueueSocket(number)
        self.surroundings = surroundings
        unsafe held = .allocate(capacity: Burst.capacity)
        unsafe verdicts = .allocate(capacity: Burst.capacity * Int(LVS_NFQ_VERDICT_BYTES))
        unsafe pieces = .allocate(capacity: Burst.capacity)
        unsafe ids = .allocate(capacity: Burst.capacity)
    }

    deinit {
        unsafe held.deallocate()
        unsafe verdicts.deallocate()
        unsafe pieces.deallocate()
        unsafe ids.deallocate()
    }

    /// Has a port's driver count what comes and goes by it; before the first packet.
    func add(_ cells: AFPacketCells, for port: PortIndex) {
        ports[Int(port)] = cells
    }

    // MARK: Out of the queue

    /// Appends packets that are there.
    func receive(into burst: inout Burst) -> Int {
        let came = socket.receive(from: used, min(burst.room, Burst.capacity - used))
        guard came > 0 else { return 0 }
        // Another interface may have got the number meanwhile.
        lastInterface = 0
        let first = burst.count
        for slot in used..<used + came {
            let (start, length) = unsafe socket.message(slot)
            unsafe afpacket_prefetch(start + QueueSocket.slotBytes)
            var packet = unsafe lvs_nfq_packet()
            switch unsafe lvs_nfq_decode(start, length, &packet) {
            case Int32(LVS_NFQ_PACKET):
                guard let frame = unsafe frame(of: packet, slot: slot, at: burst.count) else {
                    cells.truncated.raise(by: 1)
                    unsafe drop(packet.id)
                    continue
                }
                burst.append(frame)
            case Int32(LVS_NFQ_REFUSED):
                unsafe cells.lastRefusal.store(packet.id, ordering: .relaxed)
                cells.refused.raise(by: 1)
            default: continue
            }
        }
        let appended = burst.count - first
        if appended == 0 { answer() }
        // Nobody releases what is no packet.
        if appended > 0 || used > 0 { used += came }
        return appended
    }

    /// Takes the memory of all packets back.
    func release() { used = 0 }

    /// The frame of a packet; nil when it did not come whole.
    @inline(__always)
    private func frame(of packet: lvs_nfq_packet, slot: Int, at position: Int) -> Frame? {
        let length = unsafe Int(packet.length)
        let isWhole = unsafe packet.whole == packet.length
        let (type, hook, flags) = unsafe (packet.protocol, packet.hook, packet.flags)
        let isIPv6 = type == 0x86dd
        guard let network = unsafe UnsafeMutableRawPointer(packet.contents), isWhole,
            length >= (isIPv6 ? 40 : 20), isIPv6 || type == 0x0800
        else { return nil }
        let start = unsafe network - Self.link
        let ingress = unsafe port(of: packet.ingress)
        unsafe lvs_nfq_write_link(packet, lastStation, start)
        let slotStart = unsafe socket.memory + slot * QueueSocket.slotBytes
        let room = unsafe slotStart + QueueSocket.slotBytes - start
        var frame = unsafe Frame(
            bytes: start, length: length + Self.link, capacity: room - 4,
            headroom: start - slotStart, ingress: ingress)
        frame.mark = unsafe packet.mark
        if hook == UInt8(LVS_NFQ_FORWARD) {
            // The engine shall see it as it came to the host.
            unsafe HopCount.raise(network, isIPv6: isIPv6)
        }
        if flags != 0 { describe(&frame, flags) }
        unsafe (held + position).initialize(
            to: Held(
                id: packet.id, hook: hook, isIPv6: isIPv6, segmentSize: frame.segmentSize,
                flow: PacketFlow(network, isIPv6: isIPv6)))
        if let counts = cells(of: frame.ingress) {
            counts.received.raise(by: 1)
            counts.receivedBytes.raise(by: length + Self.link)
        }
        return frame
    }

    /// Says what the sender's kernel left undone: a checksum, and cutting.
    private func describe(_ frame: inout Frame, _ flags: UInt8) {
        let packet = Packet(parsing: frame)
        let transport = Int(packet.transportOffset)
        if flags & UInt8(LVS_NFQ_PARTIAL) != 0, transport != 0,
            let field = Offload.checksumField(of: packet.protocolNumber)
        {
            frame.checksum = .partial
            frame.checksumStart = packet.transportOffset
            frame.checksumOffset = field
        }
        guard flags & UInt8(LVS_NFQ_SEGMENTS) != 0 else { return }
        // The kernel keeps to itself what the sender's segments were; they fitted the interface that
        // they came by.
        let mtu = Int(surroundings.mtu(of: frame.ingress))
        let widest = mtu == 0 ? Int(frame.length) : mtu + Self.link
        Offload.openSegments(of: &frame, packet, widest: widest, datagrams: true)
    }

    @inline(__always)
    private func port(of interface: Int32) -> PortIndex {
        if interface != lastInterface || lastInterface == 0 {
            lastInterface = interface
            lastPort = surroundings.port(of: interface)
            lastStation = lastPort.map(surroundings.station) ?? 0
        }
        // What came by an interface that is not served, or from the host itself, has no port.
        return lastPort ?? PortIndex.max
    }

    @inline(__always)
    private func cells(of port: PortIndex) -> AFPacketCells? {
        Int(port) < ports.count ? ports[Int(port)] : nil
    }

    // MARK: Back into the queue

    /// Tells the kernel what becomes of the packets of a burst; frames that remain to be sent by
    /// packet sockets keep their verdict, others that are sent are consumed.
    func settle(_ burst: inout Burst) {
        let frames = unsafe burst.base
        let holdsBack = surroundings.isTakingOver.load(ordering: .relaxed)
        for index in 0..<burst.count {
            let held = unsafe self.held[index]
            let verdict = unsafe frames[index].verdict
            switch verdict.kind {
            case .pass where holdsBack:
                cells.dropped.raise(by: 1)
                drop(held.id)
            case .pass:
                pass(&(unsafe frames)[index], held)
            case .send:
                send(&(unsafe frames)[index], held)
            case .consumed:
                // Cut, put together, or waiting for its next hop: what comes of it is sent.
                cells.sentBySocket.raise(by: 1)
                drop(held.id)
            case .drop:
                cells.dropped.raise(by: 1)
                drop(held.id)
            }
        }
        answer()
    }

    /// Leaves a packet to the host: as it came, or as the engine rewrote it for a server on the host.
    private func pass(_ frame: inout Frame, _ held: Held) {
        let network = unsafe frame.bytes + Self.link
        guard frame.verdict.usesDoor,
            unsafe PacketFlow(network, isIPv6: held.isIPv6) != held.flow, canReturn(frame, held)
        else {
            cells.untouched.raise(by: 1)
            return accept(held.id)
        }
        if held.hook == UInt8(LVS_NFQ_FORWARD) {
            unsafe HopCount.lower(network, isIPv6: held.isIPv6)
        }
        accept(&frame, held)
    }

    /// Gives a packet back with its new contents, or takes it out so that it can be sent.
    private func send(_ frame: inout Frame, _ held: Held) {
        guard kernelLeads(frame, held) else {
            drop(held.id)
            if frame.segmentKind == 5, frame.segmentSizeIsOpen {
                // Its datagrams begin where only the kernel knows.
                cells.uncuttable.raise(by: 1)
                cells(of: frame.verdict.port)?.sendFailed.raise(by: 1)
                frame.verdict = .consumed
            } else {
                cells.sentBySocket.raise(by: 1)
            }
            return
        }
        if held.hook != UInt8(LVS_NFQ_FORWARD) {
            // Forwarding will count the hop, or the packet is the host's own.
            unsafe HopCount.raise(frame.bytes + Self.link, isIPv6: held.isIPv6)
        }
        if let counts = cells(of: frame.verdict.port) {
            counts.sent.raise(by: 1)
            counts.sentBytes.raise(by: Int(frame.length))
        }
        accept(&frame, held)
        frame.verdict = .consumed
    }

    /// Whether the kernel, given the packet as it now is, sends it where the engine wants it.
    ///
    /// A packet on its way in must have got another destination, on a host that forwards, and leave
    /// by another interface, since forwarding tells senders of shorter ways. A packet that is being
    /// forwarded, or comes from the host, must go on to whom it was for.
    @inline(__always)
    private func kernelLeads(_ frame: Frame, _ held: Held) -> Bool {
        guard canReturn(frame, held) else { return false }
        let flow = unsafe PacketFlow(frame.bytes + Self.link, isIPv6: held.isIPv6)
        switch Int32(held.hook) {
        case Int32(LVS_NFQ_PREROUTING):
            return flow.hasSource(of: held.flow) && !flow.hasDestination(of: held.flow)
                && frame.verdict.port != frame.ingress && frame.segmentSize == held.segmentSize
                && surroundings.forwards(isIPv6: held.isIPv6)
        case Int32(LVS_NFQ_FORWARD), Int32(LVS_NFQ_OUTPUT):
            return flow.hasDestination(of: held.flow) && !flow.hasSource(of: held.flow)
        default: return false
        }
    }

    /// Whether the frame is a plain packet that a verdict can carry, of the family it came in.
    @inline(__always)
    private func canReturn(_ frame: Frame, _ held: Held) -> Bool {
        let type = unsafe frame.bytes.loadUnaligned(fromByteOffset: 12, as: UInt16.self).bigEndian
        return type == (held.isIPv6 ? 0x86dd : 0x0800)
            && Int(frame.length) - Self.link <= Int(LVS_NFQ_MOST_CONTENTS) && frame.vlan == 0
            && Int(frame.headroom) >= Int(LVS_NFQ_CONTENTS_HEADER) - Self.link
            && frame.capacity >= frame.length + 3
    }

    private func accept(_ frame: inout Frame, _ held: Held) {
        // The kernel takes what comes back for a packet without anything left undone; only joined
        // datagrams are cut with what their sum began with.
        if frame.segmentKind != 5 { Offload.finish(&frame) }
        let network = unsafe frame.bytes + Self.link
        let length = unsafe lvs_nfq_write_contents(
            network.assumingMemoryBound(to: UInt8.self), Int(frame.length) - Self.link,
            socket.number, held.id)
        cells.rewritten.raise(by: 1)
        unsafe put(network - Int(LVS_NFQ_CONTENTS_HEADER), length, held.id)
    }

    private func accept(_ id: UInt32) { put(id, UInt32(LVS_NFQ_ACCEPT)) }
    private func drop(_ id: UInt32) { put(id, UInt32(LVS_NFQ_DROP)) }

    @inline(__always)
    private func put(_ id: UInt32, _ verdict: UInt32) {
        let bytes = Int(LVS_NFQ_VERDICT_BYTES)
        let place = unsafe verdicts + answered * bytes
        unsafe lvs_nfq_write_verdict(place, socket.number, id, verdict)
        unsafe put(UnsafeMutableRawPointer(place), bytes, id)
    }

    @inline(__always)
    private func put(_ start: UnsafeMutableRawPointer, _ length: Int, _ id: UInt32) {
        unsafe pieces[answered].base = unsafe start
        unsafe pieces[answered].length = length
        unsafe ids[answered] = id
        answered += 1
    }

    /// Hands all verdicts to the kernel at once, in the order of their packets.
    private func answer() {
        guard answered > 0 else { return }
        let count = answered
        answered = 0
        let result = unsafe lvs_nfq_send(socket.descriptor, pieces, UInt32(count))
        guard result < 0 else { return }
        // Too much at once for this kernel's memory: nothing may stay in the queue for ever.
        cells.lastRefusal.store(UInt32(-result), ordering: .relaxed)
        cells.refused.raise(by: count)
        for index in 0..<count {
            let place = unsafe verdicts + index * Int(LVS_NFQ_VERDICT_BYTES)
            unsafe lvs_nfq_write_verdict(
                place, socket.number, ids[index], UInt32(LVS_NFQ_DROP))
            unsafe pieces[index].base = UnsafeMutableRawPointer(place)
            unsafe pieces[index].length = Int(LVS_NFQ_VERDICT_BYTES)
        }
        _ = unsafe lvs_nfq_send(socket.descriptor, pieces, UInt32(count))
    }
}
