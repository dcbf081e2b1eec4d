internal import CPacketIO
internal import LVS
internal import Posix

/// What the kernel says of an interface at the moment.
package struct InterfaceDescription: Hashable, Sendable {
    package var name: String
    package var index: Int32
    package var mtu: UInt32
    package var hardware: UInt64
    package var isUp: Bool

    /// Looks an Ethernet interface up by name in the calling thread's network namespace.
    package init(named name: String) throws(DriverError) {
        var found = afpacket_interface()
        guard unsafe afpacket_find(name, &found) == 0 else {
            throw DriverError(SystemError(last: "interface", on: name), interface: name)
        }
        guard found.is_ethernet != 0 else {
            throw DriverError(.notEthernet, "\(name): not an Ethernet interface")
        }
        self.name = name
        index = found.index
        mtu = found.mtu
        hardware = found.hardware
        isUp = found.is_up != 0
    }

    /// The same, nil while there is no such interface.
    static func ifThere(_ name: String) throws(DriverError) -> InterfaceDescription? {
        do throws(DriverError) {
            return try InterfaceDescription(named: name)
        } catch {
            guard error.code == .noSuchInterface else { throw error }
            return nil
        }
    }
}

/// The two sockets of one interface and the receive ring, owned until nobody refers to them.
///
/// ```
///  one slot, 2,112 bytes: an odd number of cache lines, so that neighbouring slots do not alias
///  0          32            52                192          202              2112
///  | header   | sockaddr_ll | reserve         | virtio-net | frame ...      |
///  |<- one cache line ------------>|          |<- header and TCP: one line ->|
/// ```
/// Safe because slot addresses are computed once from the layout the kernel accepted.
@safe
final class PacketSockets {
    static let slotBytes = 2112
    static let blockBytes = 65536
    static let slotsPerBlock = blockBytes / slotBytes
    /// Chosen so that the virtio-net header begins a cache line (see the drawing).
    static let reserve = 126

    let interface: Int32
    let receiveDescriptor: Int32
    let transmitDescriptor: Int32
    let slots: UnsafeMutablePointer<UnsafeMutablePointer<afpacket_slot>>
    let slotCount: Int
    private let ring: UnsafeMutableRawPointer
    private var layout: afpacket_layout

    /// Opens both sockets on the interface with a ring of at least `slots` slots; with a group, as the
    /// share of a worker.
    init(
        interface: Int32, name: String, slots wanted: Int, group: FanoutGroup? = nil,
        worker: Int = 0
    ) throws(DriverError) {
        let perBlock = PacketSockets.slotsPerBlock
        let blocks = max(1, (wanted + perBlock - 1) / perBlock)
        var layout = afpacket_layout(
            slot_bytes: UInt32(PacketSockets.slotBytes),
            block_bytes: UInt32(PacketSockets.blockBytes), blocks: UInt32(blocks),
            slots_per_block: UInt32(perBlock), reserve: UInt32(PacketSockets.reserve))
        var memory: UnsafeMutableRawPointer?
        var step: UnsafePointer<CChar>?
        let receive = unsafe afpacket_open_receive(interface, &layout, &memory, &step)
        guard receive >= 0, let memory = unsafe memory else {
            throw unsafe PacketSockets.failure(step, name)
        }
        let transmit = unsafe afpacket_open_transmit(interface, &step)
        guard transmit >= 0 else {
            let error = unsafe PacketSockets.failure(step, name)
            unsafe afpacket_unmap(memory, &layout)
            afpacket_close(receive)
            throw error
        }
        // From here on `deinit` closes.
        self.interface = interface
        self.layout = layout
        unsafe ring = memory
        receiveDescriptor = receive
        transmitDescriptor = transmit
        slotCount = blocks * perBlock
        unsafe slots = .allocate(capacity: slotCount)
        for index in 0..<slotCount {
            let offset =
                index / perBlock * PacketSockets.blockBytes
                + index % perBlock * PacketSockets.slotBytes
            unsafe (slots + index).initialize(
                to: (memory + offset).assumingMemoryBound(to: afpacket_slot.self))
        }
        // A socket without its group would have every frame of the interface.
        try group?.join(receive, worker: worker, interface: interface)
        guard afpacket_begin_receiving(receive) == 0 else {
            throw DriverError(SystemError(last: "SO_ATTACH_FILTER"), interface: name)
        }
    }

    deinit {
        unsafe slots.deallocate()
        unsafe afpacket_unmap(ring, &layout)
        afpacket_close(receiveDescriptor)
        afpacket_close(transmitDescriptor)
    }

    /// Whether the interface the sockets were bound to has been deleted.
    var isDetached: Bool { afpacket_bound_interface(receiveDescriptor) != interface }

    /// Frames lost to a full ring since the last call.
    func takeLosses() -> UInt64 { UInt64(afpacket_losses(receiveDescriptor)) }

    private static func failure(_ step: UnsafePointer<CChar>?, _ name: String) -> DriverError {
        let step = if let step = unsafe step { unsafe String(cString: step) } else { "open" }
        return DriverError(SystemError(last: step), interface: name)
    }
}
