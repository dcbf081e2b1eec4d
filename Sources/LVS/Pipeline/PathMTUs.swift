/// What one worker has learned of the longest packets that reach real servers by tunnel.
///
/// As the kernel keeps it: never below 552 bytes, and forgotten after ten minutes (`ip_rt_min_pmtu`,
/// `ip_rt_mtu_expires`). Two servers that share a slot take it from each other: a limit on memory,
/// paid with one more ICMP error.
struct PathMTUs {
    private struct Path {
        var server: UInt32 = 0
        var mtu: UInt32 = 0
        var deadline = Instant(nanoseconds: 0)
    }

    private static let slots = 1024
    private static let smallest: UInt32 = 552
    private static let seconds: UInt64 = 600

    private var paths: [Path] = []

    /// The longest packet to a server, bytes; `width` when nothing shorter is known.
    func mtu(to server: IPAddress, or width: UInt32, now: Instant) -> UInt32 {
        guard !paths.isEmpty else { return width }
        let path = paths[PathMTUs.slot(server.v4)]
        guard path.server == server.v4, now < path.deadline else { return width }
        return min(path.mtu, width)
    }

    /// Takes over what a router has told, unless the way is known to be narrower.
    mutating func learn(_ mtu: UInt32, to server: IPAddress, width: UInt32, now: Instant) {
        let known = self.mtu(to: server, or: width, now: now)
        guard mtu < known else { return }
        if paths.isEmpty { paths = Array(repeating: Path(), count: PathMTUs.slots) }
        paths[PathMTUs.slot(server.v4)] = Path(
            server: server.v4, mtu: max(mtu, min(known, PathMTUs.smallest)),
            deadline: now.advanced(bySeconds: PathMTUs.seconds))
    }

    private static func slot(_ server: UInt32) -> Int { Int(server &* 0x9e37_79b1 >> 22) }
}
