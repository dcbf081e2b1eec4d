internal import CPacketIO
package import LVS
internal import Posix
internal import Synchronization

/// Serves one interface by packet sockets: a memory-mapped receive ring with virtio-net headers,
/// and `sendmmsg` straight from the ring's slots.
///
/// The ring is small slots only; a longer frame (a TCP super-frame from a veth) is flagged by the
/// kernel and fetched whole into a buffer of the driver (packet-io, section 5). Frames for other
/// stations are left alone, and so are tagged frames whose VLAN the host serves by an interface of
/// its own.
///
/// The worker's thread calls the `PacketDriver` methods; `statistics`, `refresh`, `setHostVLANs`
/// and what describes the interface belong to the housekeeper. What both touch is atomic, hence
/// the unchecked conformance. Safe because every address comes from memory the object owns.
@safe
package final class AFPacketDriver: InterfaceDriver, @unchecked Sendable {
    /// What can be chosen at opening.
    package struct Options: Hashable, Sendable {
        /// Slots of the receive ring; rounded up to whole blocks.
        package var slots = 4096
        /// Whether ARP to everybody and neighbour solicitations to a group are wanted, which only
        /// answering for addresses needs.
        package var receivesSolicitations = false
        /// The worker that the driver is for, from 0.
        package var worker = 0

        package init() {}
    }

    /// Room for one super-frame with what tunnels put before it and a VIP's options behind it.
    static let longBytes = 65536 + 512
    /// Keeps the virtio-net header of a fetched frame aligned and leaves tunnels their room.
    static let longHeadroom = 192
    /// Slots looked at in one call, so that a flood for other stations cannot hold the worker.
    private static let mostLooked = 256

    package let port: PortIndex
    package let name: String
    let options: Options
    /// What shares the interface among workers; nil with one worker.
    let group: FanoutGroup?

    // Worker's own: the sockets in use, and the frames borrowed and queued.
    private var slots: UnsafeMutablePointer<UnsafeMutablePointer<afpacket_slot>>
    private var slotCount: Int
    private var receiveDescriptor: Int32
    private var next = 0
    private var oldest = 0
    private var held = 0
    private let longMemory: MappedMemory
    private let long: UnsafeMutableRawPointer
    private var longUsed = 0
    let transmitter: PacketTransmitter

    // Housekeeper's own.
    var current: PacketSockets
    var retired: PacketSockets?
    var losses: UInt64 = 0

    // Between the two.
    /// Sockets to change to; stored by `refresh` (release), taken by `receive` (acquire).
    let replacement = unsafe Atomic<UnsafeMutableRawPointer?>(nil)
    let cells = AFPacketCells()
    /// A bit for each VLAN id that the host serves itself; 64 words, relaxed.
    let hostVLANs = HostVLANs()

    /// Opens the interface in the calling thread's network namespace.
    package convenience init(
        interface name: String, port: PortIndex, options: Options = Options()
    ) throws(DriverError) {
        try self.init(interface: name, port: port, options: options, group: nil)
    }

    /// As above; with a group, for the worker that the options name.
    init(
        interface name: String, port: PortIndex, options: Options, group: FanoutGroup?
    ) throws(DriverError) {
        let found = try InterfaceDescription(named: name)
        let sockets = try PacketSockets(
            interface: found.index, name: name, slots: options.slots, group: group,
            worker: options.worker)
        self.port = port
        self.name = name
        self.options = options
        self.group = group
        current = sockets
        unsafe slots = sockets.slots
        slotCount = sockets.slotCount
        receiveDescriptor = sockets.receiveDescriptor
        transmitter = PacketTransmitter(descriptor: sockets.transmitDescriptor, cells: cells)
        do throws(SystemError) {
            longMemory = try MappedMemory(bytes: Burst.capacity * Self.longBytes)
        } catch {
            throw DriverError(error, interface: name)
        }
        unsafe long = longMemory.base
    }

    package var descriptor: Int32? { receiveDescriptor }

    package func receive(into burst: inout Burst) -> Int {
        if unsafe replacement.load(ordering: .relaxed) != nil { changeSockets() }
        let room = burst.room
        let slots = unsafe slots
        // A borrowed slot still says that it is filled: the ring must not be gone around twice.
        let most = min(Self.mostLooked, slotCount - held)
        var appended = 0
        var looked = 0
        var bytes = 0
        var ignored = 0
        while appended < room, looked < most {
            let slot = unsafe slots[next]
            let status = unsafe afpacket_load_status(slot)
            guard status & UInt32(AFPACKET_USER) != 0 else { break }
            looked += 1
            next += 1
            if next == slotCount { next = 0 }
            unsafe afpacket_prefetch(slots[next])
            guard let frame = unsafe frame(in: slot, status, ignored: &ignored) else { continue }
            bytes += Int(frame.length)
            burst.append(frame)
            appended += 1
        }
        held += looked
        if looked > 0 {
            cells.received.raise(by: appended)
            cells.receivedBytes.raise(by: bytes)
            cells.ignored.raise(by: ignored)
            // Nobody releases what is no frame; what was received before is somebody's still.
            if appended == 0, held == looked { release() }
        }
        return appended
    }

    package func release() {
        let slots = unsafe slots
        var index = oldest
        for _ in 0..<held {
            unsafe afpacket_give_back(slots[index])
            index += 1
            if index == slotCount { index = 0 }
        }
        oldest = index
        held = 0
        longUsed = 0
    }

    package func descriptorFailed() {
        // ENETDOWN: the socket works again once the interface is up, but poll tells it till read.
        _ = afpacket_take_error(receiveDescriptor)
    }

    /// The frame of a filled slot; nil when it is not for the director or could not be had whole.
    @inline(__always)
    private func frame(
        in slot: UnsafeMutablePointer<afpacket_slot>, _ status: UInt32, ignored: inout Int
    ) -> Frame? {
        var vlan: UInt32 = 0
        if status & UInt32(AFPACKET_VLAN_VALID) != 0 {
            let known = status & UInt32(AFPACKET_VLAN_PROTOCOL_VALID) != 0
            let tag = unsafe UInt32(slot.pointee.vlan_tag)
            vlan = unsafe (known ? UInt32(slot.pointee.vlan_protocol) : 0x8100) << 16 | tag
        }
        let whole = unsafe Int(slot.pointee.captured)
        let start = unsafe UnsafeMutableRawPointer(slot) + Int(slot.pointee.mac)
        var frame = unsafe Frame(
            bytes: start, length: whole,
            capacity: Self.slotCapacity(slot, start),
            headroom: start - UnsafeMutableRawPointer(slot) - MemoryLayout<afpacket_slot>.size,
            ingress: port)
        if status & UInt32(AFPACKET_COPY) != 0 {
            // The queue of long frames must be emptied in step with the ring, wanted or not.
            guard fetch(&frame) else { return nil }
        } else {
            guard unsafe slot.pointee.captured == slot.pointee.length else {
                cells.truncated.raise(by: 1)
                return nil
            }
        }
        guard unsafe isWanted(slot.pointee.packet_type, start), !isHosts(vlan) else {
            ignored += 1
            if status & UInt32(AFPACKET_COPY) != 0 { longUsed -= 1 }
            return nil
        }
        frame.vlan = vlan
        unsafe VirtioNetHeader.read(frame.bytes - VirtioNetHeader.bytes, into: &frame)
        return frame
    }

    @inline(__always)
    private static func slotCapacity(
        _ slot: UnsafeMutablePointer<afpacket_slot>, _ start: UnsafeMutableRawPointer
    ) -> Int {
        unsafe UnsafeMutableRawPointer(slot) + PacketSockets.slotBytes - start
    }

    /// Frames to this station (packet type 0); ARP to everybody (type 1) and neighbour solicitations
    /// to a group (type 2) when somebody answers them.
    ///
    /// Whatever is in the slot may be looked at: a slot is longer than any header.
    @inline(__always)
    private func isWanted(_ packetType: UInt8, _ start: UnsafeMutableRawPointer) -> Bool {
        if packetType == 0 { return true }
        guard packetType <= 2, options.receivesSolicitations else { return false }
        let type = unsafe start.loadUnaligned(fromByteOffset: 12, as: UInt16.self).bigEndian
        if packetType == 1 { return type == 0x0806 }
        return unsafe type == 0x86dd && start.load(fromByteOffset: 20, as: UInt8.self) == 58
            && start.load(fromByteOffset: 54, as: UInt8.self) == 135
    }

    @inline(__always)
    private func isHosts(_ vlan: UInt32) -> Bool {
        vlan != 0 && hostVLANs.contains(UInt16(truncatingIfNeeded: vlan) & 0xfff)
    }

    /// Takes a frame that is longer than its slot from the socket; false when it was cut there too.
    private func fetch(_ frame: inout Frame) -> Bool {
        // At most one long frame for each frame of the burst, and the burst has 64.
        let buffer = unsafe long + min(longUsed, Burst.capacity - 1) * Self.longBytes
        let start = unsafe buffer + Self.longHeadroom
        let room = Self.longBytes - Self.longHeadroom
        let got = unsafe afpacket_fetch(
            receiveDescriptor, start - VirtioNetHeader.bytes, room + VirtioNetHeader.bytes)
        let length = got - VirtioNetHeader.bytes
        guard length >= 14, length <= room else {
            cells.truncated.raise(by: 1)
            return false
        }
        longUsed += 1
        unsafe frame.bytes = unsafe start
        frame.length = UInt32(length)
        frame.capacity = UInt32(room)
        frame.headroom = UInt16(Self.longHeadroom)
        return true
    }

    /// Changes to sockets that the housekeeper opened; no slot of the old ring is held here.
    private func changeSockets() {
        let taken = unsafe replacement.exchange(nil, ordering: .acquiringAndReleasing)
        guard let taken = unsafe taken else { return }
        let sockets = unsafe Unmanaged<PacketSockets>.fromOpaque(taken).takeUnretainedValue()
        unsafe slots = sockets.slots
        slotCount = sockets.slotCount
        receiveDescriptor = sockets.receiveDescriptor
        transmitter.descriptor = sockets.transmitDescriptor
        next = 0
        oldest = 0
        held = 0
    }
}
