internal import CPacketIO
package import LVS
internal import Posix
internal import Synchronization

/// Serves one interface by a queue of netfilter, which all interfaces share: packets come from
/// wherever the rules lead them to the queue, with their firewall mark, and go back into the kernel
/// or out by a packet socket.
///
/// The first driver of a worker receives for all of them. The worker's thread calls the
/// `PacketDriver` methods and `settle`; the rest belongs to the housekeeper. What both touch is
/// atomic or never changes, hence the unchecked conformance.
package final class NFQueueDriver: InterfaceDriver, SettlingDriver, @unchecked Sendable {
    package let port: PortIndex
    package let name: String
    private let commons: NFQueueCommons
    private let reception: QueueReception
    private let isFirst: Bool
    private let transmitter: PacketTransmitter
    private let cells = AFPacketCells()

    /// Opens the interface in the calling thread's network namespace, for a worker by its number.
    package init(
        interface name: String, port: PortIndex, worker: Int, commons: NFQueueCommons
    ) throws(DriverError) {
        let found = try InterfaceDescription(named: name)
        let socket = try Self.openSocket(found.index, name)
        let reception: QueueReception
        do throws(DriverError) {
            (reception, isFirst) = try commons.reception(of: worker)
        } catch {
            afpacket_close(socket)
            throw error
        }
        self.port = port
        self.name = name
        self.commons = commons
        self.reception = reception
        transmitter = PacketTransmitter(descriptor: socket, cells: cells)
        commons.add(name)
        commons.surroundings.set(
            port, interface: found.index, mtu: found.mtu, station: found.hardware)
        reception.add(cells, for: port)
    }

    deinit { afpacket_close(transmitter.descriptor) }

    private static func openSocket(
        _ interface: Int32, _ name: String
    ) throws(DriverError) -> Int32 {
        var step: UnsafePointer<CChar>?
        let socket = unsafe afpacket_open_transmit(interface, &step)
        guard socket < 0 else { return socket }
        let call = if let step = unsafe step { unsafe String(cString: step) } else { "open" }
        throw DriverError(SystemError(last: call), interface: name)
    }

    // MARK: Worker

    package var descriptor: Int32? { isFirst ? reception.socket.descriptor : nil }

    package func receive(into burst: inout Burst) -> Int {
        isFirst ? reception.receive(into: &burst) : 0
    }

    package func settle(_ burst: inout Burst) { reception.settle(&burst) }

    package func enqueue(_ frame: Frame) { transmitter.queue(frame) }

    package func enqueue(sendsOf burst: borrowing Burst) {
        forEachSend(of: burst, on: port) { frame in transmitter.queue(frame) }
    }

    package func flush() { transmitter.flush() }

    package func release() {
        if isFirst { reception.release() }
    }

    package func descriptorFailed() { _ = afpacket_take_error(reception.socket.descriptor) }

    // MARK: Housekeeper

    package var statistics: DriverStatistics {
        var result = DriverStatistics()
        result.receivedFrames = cells.received.count
        result.receivedBytes = cells.receivedBytes.count
        result.sentFrames = cells.sent.count
        result.sentBytes = cells.sentBytes.count
        result.sendFailed = cells.sendFailed.count
        if isFirst {
            result.ringFull = reception.socket.lost
            result.truncated = reception.cells.truncated.count
        }
        return result
    }

    /// The host gets what is left to it with the verdict.
    package var keepsFromHost: Bool { false }

    package var summary: String {
        "nfqueue: queue \(reception.socket.number), up to \(QueueSocket.mostWaiting) packets wait"
            + ", VLAN tags are left to the host's own interfaces"
            + (isDetached ? ", interface gone" : "")
    }

    /// The host's interfaces take their tags out before netfilter sees a packet.
    package func setHostVLANs(_ ids: Set<UInt16>) {}

    package func follow(_ port: Port) {
        commons.surroundings.set(self.port, mtu: port.mtu, station: port.hardware.value)
    }

    package var isDetached: Bool {
        afpacket_bound_interface(transmitter.descriptor)
            != commons.surroundings.interface(of: port)
    }

    /// Opens the packet socket anew when the interface was deleted and exists again; true when it
    /// did so.
    package func refresh() throws(DriverError) -> Bool {
        guard isDetached else { return false }
        guard let found = try InterfaceDescription.ifThere(name) else { return false }
        // In the place of the old one, in one step, so that the worker need not know.
        let socket = try Self.openSocket(found.index, name)
        defer { afpacket_close(socket) }
        guard afpacket_replace(socket, transmitter.descriptor) == 0 else {
            throw DriverError(SystemError(last: "dup3"), interface: name)
        }
        commons.surroundings.set(
            port, interface: found.index, mtu: found.mtu, station: found.hardware)
        return true
    }
}
