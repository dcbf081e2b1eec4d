package import LVS
package import Posix
internal import CPacketIO
internal import Synchronization

/// The way into the host's stack for frames that the ingress block has kept from it, and the way out
/// for what the host sends into it (packet-io, section 11).
///
/// One TUN device for each network namespace, with a queue for each worker; it lives as long as the
/// process. A frame written into it reaches the stack as if it had arrived by an interface of the name
/// `director-door`; its answer leaves by the host's routes. The Ethernet header is taken off on
/// the way in, and a made one stands on what comes out.
package enum HostDoor {
    /// Name of the device.
    package static let name = "director-door"
    /// Both addresses of the made Ethernet headers: locally administered, "LVS".
    package static let hardware = HardwareAddress(value: 0x024c_5653_0001)

    /// Makes the device and brings it up; one driver for each worker, all with this port number.
    ///
    /// `mtu` should be the smallest of the served interfaces, since servers on the host whose replies
    /// are led here take their segment size from it.
    package static func open(
        port: PortIndex, workers: Int, mtu: UInt32 = 1500
    ) throws(SystemError) -> [HostDoorDriver] {
        guard NetworkNamespace.interfaceIndex(name) == nil else {
            let busy: Int32 = 16  // EBUSY
            throw SystemError(
                "make the host door (another director runs here)", on: name, code: busy)
        }
        var drivers: [HostDoorDriver] = []
        for _ in 0..<workers {
            var superFrames: Int32 = 0
            let number = unsafe name.withCString { unsafe lvs_tun_open($0, &superFrames) }
            guard number >= 0 else {
                throw SystemError("make the host door", on: name, code: -number)
            }
            drivers.append(HostDoorDriver(descriptor: number, port: port))
        }
        set("net/ipv6/conf/\(name)/addr_gen_mode", "1")
        set("net/ipv6/conf/\(name)/accept_ra", "0")
        try letSendersPass()
        let result = unsafe name.withCString { unsafe lvs_tun_up($0, mtu) }
        guard result == 0 else {
            throw SystemError("bring up the host door", on: name, code: -result)
        }
        return drivers
    }

    /// Keeps the reverse path filter from dropping what comes in by the door, since the way back is
    /// never by it.
    ///
    /// The kernel takes the larger of the device's value and of `all`; 2 asks only that there be some
    /// route back, so it serves where `all` is 1. But on a device without any address 2 is as strict
    /// as 1, and services that set knobs of new devices (udev with systemd) like to make it 2: hence
    /// the address, one that stands for nobody (RFC 7600, section 4.8).
    private static func letSendersPass() throws(SystemError) {
        set("net/ipv4/conf/\(name)/rp_filter", hostFiltersReversePath ? "2" : "0")
        guard let index = NetworkNamespace.interfaceIndex(name) else { return }
        try RouteSocket(events: false).addAddress(dummy, interface: index)
    }

    /// 192.0.0.8, the dummy address of IPv4.
    package static let dummy = IPAddress(v4: 0xc000_0008)

    /// The door as a port of the engine.
    package static func port(_ index: PortIndex, mtu: UInt32 = 1500) -> Port {
        Port(index: index, name: name, hardware: hardware, mtu: mtu)
    }

    /// `net.ipv4.conf.all.rp_filter` is on.
    private static var hostFiltersReversePath: Bool {
        let text = try? Files.read("/proc/sys/net/ipv4/conf/all/rp_filter")
        return text?.first.map { $0 != "0" } ?? false
    }

    /// Sets a knob of the device; a kernel without the protocol or the knob has nothing to set.
    private static func set(_ path: String, _ value: String) {
        try? Files.write(value, to: "/proc/sys/" + path)
    }
}

/// One queue of the host door.
@safe
package final class HostDoorDriver: PacketDriver, @unchecked Sendable {
    /// Packets read in one go, and the memory of each: headroom, Ethernet header, 64 KiB.
    private static let slots = 16
    private static let headroom = 128
    private static let etherBytes = 14
    private static let slotBytes = headroom + etherBytes + 65536 + 64

    package let port: PortIndex
    private let number: Int32
    private let memory: UnsafeMutableRawPointer
    private var used = 0
    private let receivedFrames = Atomic<UInt64>(0)
    private let receivedBytes = Atomic<UInt64>(0)
    private let sentFrames = Atomic<UInt64>(0)
    private let sentBytes = Atomic<UInt64>(0)
    private let sendFailed = Atomic<UInt64>(0)

    fileprivate init(descriptor: Int32, port: PortIndex) {
        number = descriptor
        self.port = port
        unsafe memory = .allocate(byteCount: Self.slots * Self.slotBytes, alignment: 64)
    }

    deinit {
        lvs_tun_close(number)
        unsafe memory.deallocate()
    }

    package var descriptor: Int32? { number }

    package func receive(into burst: inout Burst) -> Int {
        let before = used
        var bytes: UInt64 = 0
        while used < Self.slots, burst.room > 0 {
            let frameStart = unsafe memory + used * Self.slotBytes + Self.headroom
            let room = Self.slotBytes - Self.headroom - Self.etherBytes
            var header = lvs_tun_header()
            let length = unsafe lvs_tun_read(
                number, &header, frameStart + Self.etherBytes, UInt32(room))
            guard length > 0 else { break }
            guard let type = unsafe Self.etherType(frameStart + Self.etherBytes) else { continue }
            unsafe Self.writeEthernet(frameStart, type: type)
            unsafe Self.giveHop(frameStart + Self.etherBytes, type, Int(length))
            var frame = unsafe Frame(
                bytes: frameStart, length: Self.etherBytes + Int(length),
                capacity: Self.slotBytes - Self.headroom, headroom: Self.headroom, ingress: port)
            Self.describe(&frame, header)
            burst.append(frame)
            used += 1
            bytes += UInt64(length)
        }
        Self.add(UInt64(used - before), to: receivedFrames)
        Self.add(bytes, to: receivedBytes)
        return used - before
    }

    /// Writes the packet at once, since there is no call for many; nothing waits for `flush`.
    package func enqueue(_ frame: Frame) {
        guard let start = Self.networkHeader(frame), frame.length > start else {
            return Self.add(1, to: sendFailed)
        }
        var header = lvs_tun_header()
        switch frame.checksum {
        case .complete: break
        case .partial:
            guard frame.checksumStart >= start else { return Self.add(1, to: sendFailed) }
            header.flags = 1  // VIRTIO_NET_HDR_F_NEEDS_CSUM
            header.checksum_start = frame.checksumStart - UInt16(start)
            header.checksum_offset = frame.checksumOffset
        case .verified: header.flags = 2  // VIRTIO_NET_HDR_F_DATA_VALID
        }
        if frame.segmentKind != 0 {
            header.segment_kind = frame.segmentKind
            header.segment_size = frame.segmentSize
            header.header_length = frame.headerLength &- UInt16(start)
        }
        let length = frame.length - start
        let result = unsafe lvs_tun_write(number, &header, frame.bytes + Int(start), length)
        guard result == 0 else { return Self.add(1, to: sendFailed) }
        Self.add(1, to: sentFrames)
        Self.add(UInt64(length), to: sentBytes)
    }

    package func flush() {}

    package func release() { used = 0 }

    package var statistics: DriverStatistics {
        var statistics = DriverStatistics()
        statistics.receivedFrames = receivedFrames.load(ordering: .relaxed)
        statistics.receivedBytes = receivedBytes.load(ordering: .relaxed)
        statistics.sentFrames = sentFrames.load(ordering: .relaxed)
        statistics.sentBytes = sentBytes.load(ordering: .relaxed)
        statistics.sendFailed = sendFailed.load(ordering: .relaxed)
        return statistics
    }

    /// Counters have one writer, the worker, so that adding needs no exchange.
    private static func add(_ amount: UInt64, to counter: borrowing Atomic<UInt64>) {
        counter.store(counter.load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }
}

extension HostDoorDriver {
    private static let ipv4Type: UInt16 = 0x0800
    private static let ipv6Type: UInt16 = 0x86dd

    /// Where the IP header of a frame begins; nil for other frames, which the host has seen anyway.
    private static func networkHeader(_ frame: Frame) -> UInt32? {
        var offset = 12
        for _ in 0..<3 {
            guard Int(frame.length) >= offset + 2 else { return nil }
            let type = unsafe UInt16(
                bigEndian: frame.bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
            switch type {
            case ipv4Type, ipv6Type: return UInt32(offset + 2)
            case 0x8100, 0x88a8: offset += 4
            default: return nil
            }
        }
        return nil
    }

    private static func etherType(_ packet: UnsafeMutableRawPointer) -> UInt16? {
        switch unsafe packet.load(as: UInt8.self) >> 4 {
        case 4: ipv4Type
        case 6: ipv6Type
        default: nil
        }
    }

    private static func writeEthernet(_ bytes: UnsafeMutableRawPointer, type: UInt16) {
        let address = HostDoor.hardware.value
        for position in 0..<6 {
            let byte = UInt8(truncatingIfNeeded: address >> UInt64(40 - 8 * position))
            unsafe bytes.storeBytes(of: byte, toByteOffset: position, as: UInt8.self)
            unsafe bytes.storeBytes(of: byte, toByteOffset: 6 + position, as: UInt8.self)
        }
        unsafe bytes.storeBytes(of: type.bigEndian, toByteOffset: 12, as: UInt16.self)
    }

    /// Adds the hop that the engine will take off: the host's own packets leave with the TTL they
    /// were made with.
    ///
    /// 255, which only neighbour discovery and its like insist on, leaves as 254.
    private static func giveHop(
        _ packet: UnsafeMutableRawPointer, _ type: UInt16, _ length: Int
    ) {
        let offset = type == ipv4Type ? 8 : 7
        guard length >= 20 else { return }
        let hops = unsafe packet.load(fromByteOffset: offset, as: UInt8.self)
        guard hops < 255 else { return }
        unsafe packet.storeBytes(of: hops + 1, toByteOffset: offset, as: UInt8.self)
        guard type == ipv4Type else { return }
        // RFC 1624: one more in the high byte of a word is 0x0100 less in the field.
        let field = unsafe UInt16(
            bigEndian: packet.loadUnaligned(fromByteOffset: 10, as: UInt16.self))
        let sum = UInt32(~field) + 0x0100
        let new = ~UInt16(truncatingIfNeeded: (sum & 0xffff) + (sum >> 16))
        unsafe packet.storeBytes(of: new.bigEndian, toByteOffset: 10, as: UInt16.self)
    }

    private static func describe(_ frame: inout Frame, _ header: lvs_tun_header) {
        let shift = UInt16(etherBytes)
        if header.flags & 1 != 0 {
            frame.checksum = .partial
            frame.checksumStart = header.checksum_start &+ shift
            frame.checksumOffset = header.checksum_offset
        } else if header.flags & 2 != 0 {
            frame.checksum = .verified
        }
        guard header.segment_kind != 0 else { return }
        frame.segmentKind = header.segment_kind
        frame.segmentSize = header.segment_size
        frame.headerLength = header.header_length &+ shift
    }
}
