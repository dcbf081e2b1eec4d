internal import CPacketIO
internal import Posix

/// What a kernel has of what a director can use, as its configuration and its files tell without
/// anything being tried.
package struct KernelOffers: Hashable, Sendable {
    /// Whether something is there.
    package enum Offer: Hashable, Sendable {
        case yes
        /// As a module, which the kernel loads when it is asked for.
        case module
        case no
        /// Nothing tells.
        case unknown

        /// Whether a director may count on it.
        package var isMissing: Bool { self == .no }

        package var text: String {
            switch self {
            case .yes: "yes"
            case .module: "as a module"
            case .no: "no"
            case .unknown: "unknown"
            }
        }

        /// Of several things that are needed together.
        static func all(_ offers: [Offer]) -> Offer {
            for answer in [Offer.no, .unknown, .module] where offers.contains(answer) {
                return answer
            }
            return .yes
        }
    }

    /// As `uname -r` writes it: `6.1.0-18-amd64`.
    package var release: String
    package var packetSockets = Offer.unknown
    package var xdpSockets = Offer.unknown
    package var bpf = Offer.unknown
    /// The queue, and the target of iptables that leads to it.
    package var queues = Offer.unknown
    /// nft's netdev family, for the ingress block.
    package var nftIngress = Offer.unknown
    /// Filters on a clsact qdisc, in its place.
    package var tcIngress = Offer.unknown
    package var tun = Offer.unknown

    /// `configuration` is the text the kernel was built by, nil where it is not told.
    package init(release: String, configuration: String?) {
        self.release = release
        guard let configuration else { return }
        let options = KernelOffers.options(configuration)
        let offer = { (names: [String]) in Offer.all(names.map { options[$0[...]] ?? .no }) }
        packetSockets = offer(["PACKET"])
        xdpSockets = offer(["XDP_SOCKETS"])
        bpf = offer(["BPF_SYSCALL"])
        queues = offer(["NETFILTER_NETLINK_QUEUE", "NETFILTER_XT_TARGET_NFQUEUE"])
        nftIngress = offer(["NF_TABLES", "NF_TABLES_NETDEV"])
        tcIngress = offer(["NET_SCH_INGRESS", "NET_CLS_BPF"])
        tun = offer(["TUN"])
    }

    /// The numbers before the second dot: 6.1 of `6.1.0-18-amd64`; nil for what is no version.
    package var version: (major: Int, minor: Int)? {
        let parts = release.split(separator: ".", maxSplits: 2)
        guard parts.count >= 2, let major = Int(parts[0]),
            let minor = Int(parts[1].prefix { $0.isNumber })
        else { return nil }
        return (major, minor)
    }

    /// Whether the kernel is this version or a newer one; what has no version counts as new.
    package func isAtLeast(_ major: Int, _ minor: Int) -> Bool {
        version.map { ($0.major, $0.minor) >= (major, minor) } ?? true
    }

    /// The kernel that runs.
    package static var running: KernelOffers {
        let release =
            (try? Files.read("/proc/sys/kernel/osrelease"))?
            .split(whereSeparator: \.isNewline).first.map(String.init) ?? "unknown"
        var offers = KernelOffers(release: release, configuration: configuration(release))
        // What answers is there, whatever a file says.
        offers.packetSockets = asked(survey_has_packet_sockets(), offers.packetSockets)
        offers.xdpSockets = asked(survey_has_xdp_sockets(), offers.xdpSockets)
        if Files.exists("/dev/net/tun") {
            if offers.tun == .unknown { offers.tun = .yes }
        } else if offers.tun != .module {
            offers.tun = .no
        }
        if offers.queues == .unknown, Files.exists("/proc/net/netfilter/nfnetlink_queue") {
            offers.queues = .yes
        }
        return offers
    }

    private static func asked(_ answer: Int32, _ told: Offer) -> Offer {
        answer > 0 ? .yes : answer == 0 && told != .module ? .no : told
    }

    /// The text the running kernel was built by, from where kernels and distributions keep it.
    private static func configuration(_ release: String) -> String? {
        for path in ["/boot/config-\(release)", "/lib/modules/\(release)/config"] {
            if let text = try? Files.read(path) { return text }
        }
        let packed = "/proc/config.gz"
        guard Files.exists(packed), let zcat = ChildProgram.find("zcat") else { return nil }
        return try? ChildProgram.output(of: zcat, [packed])
    }

    /// `CONFIG_NAME=y` and `=m` by name; what is not set is not there.
    private static func options(_ text: String) -> [Substring: Offer] {
        var found: [Substring: Offer] = [:]
        for line in text.split(whereSeparator: \.isNewline) where line.hasPrefix("CONFIG_") {
            let parts = line.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, parts[1] == "y" || parts[1] == "m" else { continue }
            found[parts[0].dropFirst(7)] = parts[1] == "y" ? .yes : .module
        }
        return found
    }
}
