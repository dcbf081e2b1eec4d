package import LVS
internal import Synchronization

extension AFPacketDriver {
    package var statistics: DriverStatistics {
        losses += current.takeLosses()
        var result = DriverStatistics()
        result.receivedFrames = cells.received.count
        result.receivedBytes = cells.receivedBytes.count
        result.sentFrames = cells.sent.count
        result.sentBytes = cells.sentBytes.count
        result.ringFull = losses
        result.truncated = cells.truncated.count
        result.sendFailed = cells.sendFailed.count
        result.ignored = cells.ignored.count
        return result
    }

    /// Names the VLAN ids whose tagged frames belong to an interface of the host's own.
    package func setHostVLANs(_ ids: Set<UInt16>) {
        hostVLANs.replace(with: ids)
    }

    /// A tap: the host's stack sees every frame as well, unless the ingress block drops it.
    package var keepsFromHost: Bool { false }

    /// One line on what serves the interface, for `status`.
    package var summary: String {
        let slots = current.slotCount
        return "afpacket: ring of \(slots) slots of \(PacketSockets.slotBytes) bytes,"
            + " virtio-net headers" + (group.map { "; \($0.summary)" } ?? "")
            + (isDetached ? ", interface gone" : "")
    }

    /// Whether the interface was deleted and `refresh` has not found it again yet.
    package var isDetached: Bool { current.isDetached }

    /// Opens new sockets when the interface was deleted and exists again; true when it did so.
    ///
    /// The housekeeper calls it on a link event or once a second, in the namespace of the
    /// interface, and wakes the worker when it answers true; the worker changes over at its next
    /// turn. While the interface is missing this is no error.
    package func refresh() throws(DriverError) -> Bool {
        if retired != nil, unsafe replacement.load(ordering: .acquiring) == nil { retired = nil }
        guard retired == nil, isDetached else { return false }
        guard let found = try InterfaceDescription.ifThere(name) else { return false }
        let sockets = try PacketSockets(
            interface: found.index, name: name, slots: options.slots, group: group,
            worker: options.worker)
        losses += current.takeLosses()
        retired = current
        current = sockets
        unsafe replacement.store(
            Unmanaged.passUnretained(sockets).toOpaque(), ordering: .releasing)
        return true
    }
}
