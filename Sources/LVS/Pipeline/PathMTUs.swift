/// What is known of the longest packets that reach real servers by tunnel.
///
/// As the kernel keeps it: never below 552 bytes, and forgotten after ten minutes (`ip_rt_min_pmtu`,
/// `ip_rt_mtu_expires`). Two servers that share a slot take it from each other: a limit on memory,
/// paid with one more ICMP error.
struct PathMTUs {
    private struct Path {
        var server: UInt32 = 0
        var mtu: UInt32 = 0
        var deadline = Instant(nanoseconds: 0)
        /// A packet has been sent since the router's first word about it.
        var isInUse = false
    }

    private static let slots = 1024
    private static let smallest: UInt32 = 552
    private static let seconds: UInt64 = 600

    private var paths: [Path] = []

    /// The longest packet that may be sent to a server now, bytes; `width` when nothing shorter is
    /// known.
    mutating func use(_ server: IPAddress, width: UInt32, now: Instant) -> UInt32 {
        guard !paths.isEmpty else { return width }
        let slot = PathMTUs.slot(server.v4)
        guard isKnown(slot, server, now) else { return width }
        paths[slot].isInUse = true
        return min(paths[slot].mtu, width)
    }

    /// Takes over what a router has told, unless the path is known to be narrower, and returns what
    /// counts for the packet that the router spoke of.
    ///
    /// Until a packet was sent by what was learned that is still the width of the route: the kernel
    /// asks the route that it has at hand (ipvs-semantics 6.4).
    mutating func learn(
        _ mtu: UInt32, to server: IPAddress, width: UInt32, now: Instant
    ) -> UInt32 {
        let slot = PathMTUs.slot(server.v4)
        let wasKnown = !paths.isEmpty && isKnown(slot, server, now)
        let known = wasKnown ? min(paths[slot].mtu, width) : width
        guard mtu < known else { return wasKnown && paths[slot].isInUse ? known : width }
        if paths.isEmpty { paths = Array(repeating: Path(), count: PathMTUs.slots) }
        let isInUse = wasKnown && paths[slot].isInUse
        let new = max(mtu, min(known, PathMTUs.smallest))
        paths[slot] = Path(
            server: server.v4, mtu: new, deadline: now.advanced(bySeconds: PathMTUs.seconds),
            isInUse: isInUse)
        return isInUse ? new : width
    }

    private func isKnown(_ slot: Int, _ server: IPAddress, _ now: Instant) -> Bool {
        paths[slot].server == server.v4 && now < paths[slot].deadline
    }

    private static func slot(_ server: UInt32) -> Int { Int((server &* 0x9e37_79b1) >> 22) }
}
