package import LVS
internal import Synchronization

extension XDPDriver {
    package var statistics: DriverStatistics {
        let losses = current.losses
        var result = DriverStatistics()
        result.receivedFrames = cells.received.count
        result.receivedBytes = cells.receivedBytes.count
        result.sentFrames = cells.sent.count
        result.sentBytes = cells.sentBytes.count
        result.ringFull = earlier.ringFull + losses.ringFull
        result.truncated = earlier.tooLong + losses.tooLong
        result.sendFailed = cells.sendFailed.count + earlier.notSent + losses.notSent
        return result
    }

    /// Nobody else has seen what the program redirects.
    package var keepsFromHost: Bool { true }

    /// Names the VLAN ids whose tagged frames belong to an interface of the host's own.
    package func setHostVLANs(_ ids: Set<UInt16>) {
        hostVLANs = ids
        // What the kernel refuses now is tried again with the next second's update, which tells it.
        current.attachment.wantedVLANs = ids
        try? current.attachment.follow()
    }

    /// One line on what serves the interface, for `status` and the start.
    package var summary: String {
        let attachment = current.attachment
        var text = "xdp: \(attachment.isGeneric ? "generic" : "native") mode, "
        text += current.isZeroCopy ? "zero-copy" : "copied once by the kernel"
        let queues = attachment.queues
        text += ", \(queues) receive queue\(queues == 1 ? "" : "s")"
        if options.workers > 1 { text += " for \(options.workers) workers" }
        text += ", frames of"
        text += " \(area.chunkBytes) bytes"
        if attachment.isGeneric {
            text +=
                " (native: \(attachment.reasonForGeneric)); segmentation offload of whoever sends"
            text += " here must be off (ethtool -K ... tso off gso off), VLAN tags that a card or a"
            text += " bridge takes out are not seen; or use afpacket:\(name)"
        }
        return text + (isDetached ? ", interface gone" : "")
    }

    /// Frames that were copied on their way out: made ones, and those of other drivers.
    package var copiedFrames: UInt64 { copied.count }

    /// Whether the interface was deleted and `refresh` has not found it again yet.
    package var isDetached: Bool { current.attachment.isDetached }

    /// Opens new sockets when the interface was deleted and exists again; true when it did so.
    ///
    /// The housekeeper calls it on a link event or once a second, in the namespace of the
    /// interface, and wakes the worker when it answers true; the worker changes over at its next
    /// turn. While the interface is missing this is no error.
    package func refresh() throws(DriverError) -> Bool {
        if retired != nil, unsafe replacement.load(ordering: .acquiring) == nil { retired = nil }
        guard retired == nil, isDetached else { return false }
        guard let found = try InterfaceDescription.ifThere(name) else { return false }
        guard Int(found.mtu) <= area.longestMTU else {
            throw DriverError(
                .system,
                "\(name): MTU \(found.mtu) is more than the frame memory was made for"
                    + " (\(area.longestMTU)); lower it (ip link set dev \(name) mtu"
                    + " \(area.longestMTU)) or start the director again")
        }
        let sockets = try Self.sockets(found, area, redirects, hostVLANs: hostVLANs, options)
        try sockets.beginReceiving()
        redirects.follow(sockets.attachment)
        let losses = current.losses
        earlier.ringFull += losses.ringFull
        earlier.tooLong += losses.tooLong
        earlier.notSent += losses.notSent
        retired = current
        current = sockets
        unsafe replacement.store(
            Unmanaged.passUnretained(sockets).toOpaque(), ordering: .releasing)
        return true
    }
}
