/// The settings `net.ipv4.vs.*`, names, defaults and ranges of ipvs-semantics 4.10, and those of
/// `net.ipv4` that say how many ICMP errors leave.
package struct Settings: Hashable, Sendable {
    /// One setting: a line in the list below and nothing else.
    package struct Setting: Hashable, Sendable {
        package var name: String
        package var standard: Int
        package var range: ClosedRange<Int>
        /// Values that have their full effect; nil for all of the range.
        package var supported: [Int]?
        /// Why other values of the range are refused; empty when all have their effect.
        package var limit: String

        fileprivate init(
            _ name: String, _ standard: Int, _ range: ClosedRange<Int>,
            only supported: [Int]? = nil, because limit: String = ""
        ) {
            self.name = name
            self.standard = standard
            self.range = range
            self.supported = supported
            self.limit = limit
        }
    }

    private static let anyValue = Int(Int32.min)...Int(Int32.max)
    /// Off, automatic and off at present, automatic and on at present, on.
    private static let defence = 0...3

    /// Every setting by name.
    package static let all: [Setting] = [
        Setting("am_droprate", 10, anyValue),
        Setting("amemthresh", 1024, anyValue),
        Setting("backup_only", 0, anyValue),
        Setting("cache_bypass", 0, anyValue),
        Setting("conn_reuse_mode", 1, anyValue),
        // Frames taken before the host's stack have no entry in its connection tracking, as on a
        // host where nothing asks for tracking; there the setting changes nothing to be seen.
        Setting("conntrack", 0, anyValue),
        Setting("drop_entry", 0, defence),
        Setting("drop_packet", 0, defence),
        Setting("expire_nodest_conn", 0, anyValue),
        Setting("expire_quiescent_template", 0, anyValue),
        // Ports of local addresses that connections with FULLNAT get.
        Setting("fullnat_lport_max", 65535, 1024...65535),
        Setting("fullnat_lport_min", 1024, 1024...65535),
        // What comes out of a tunnel of the host never passes here again, whatever the value.
        Setting("ignore_tunneled", 0, anyValue),
        // Milliseconds between two errors to one client, 0 for no limit at all; the types limited, a
        // bit each; all errors of a second, and at once.
        Setting("icmp_ratelimit", 1000, 0...Int(Int32.max)),
        Setting("icmp_ratemask", 0x1818, 0...Int(UInt32.max)),
        Setting("icmp_msgs_per_sec", 1000, 0...Int(Int32.max)),
        Setting("icmp_msgs_burst", 50, 0...Int(Int32.max)),
        // Seconds; only schedulers of these names ask for them (ipvs-semantics 2.7, 2.8).
        Setting("lblc_expiration", 86_400, anyValue),
        Setting("lblcr_expiration", 86_400, anyValue),
        Setting("nat_icmp_send", 0, anyValue),
        Setting("pmtu_disc", 1, anyValue),
        Setting("run_estimation", 1, anyValue),
        Setting("schedule_icmp", 0, anyValue),
        Setting("secure_tcp", 0, defence),
        Setting("sloppy_sctp", 0, anyValue),
        Setting("sloppy_tcp", 0, anyValue),
        // Replies leave by the route to the client in any case: there are no source routes here.
        Setting("snat_reroute", 1, anyValue),
        // What the master tells of, and when: see `SyncRules`.
        Setting("sync_persist_mode", 0, anyValue),
        // Of synchronisation daemons, when they start: ports, from the first one on.
        Setting(
            "sync_ports", 1, 1...64, only: [1, 2, 4, 8, 16, 32, 64],
            because: "accepted are powers of two up to 64"),
        // Messages of the master that may wait to be sent; a kernel with 2 GiB of memory begins with this.
        Setting("sync_qlen_max", 16_384, anyValue),
        Setting("sync_refresh_period", 0, anyValue),
        Setting("sync_retries", 0, 0...3),
        // Bytes of the buffer of each socket when a daemon starts, 0 for the system's own.
        Setting("sync_sock_size", 0, 0...Int(Int32.max)),
        // The first of two numbers; the second one is `syncPeriod`.
        Setting("sync_threshold", 3, 0...Int(Int32.max)),
        // What masters send; a backup reads both formats, whatever the value.
        Setting("sync_version", 1, 0...1),
    ]

    private var changed: [String: Int] = [:]
    /// The second number of `sync_threshold`: packets from one telling of a connection to the next; 0
    /// for one telling only.
    package private(set) var syncPeriod = 50

    package init() {}

    /// Names and values, in alphabetical order; `sync_threshold` has two numbers.
    package var values: [(name: String, value: String)] {
        Settings.all.map { setting in
            let value = changed[setting.name] ?? setting.standard
            let isPair = setting.name == Settings.threshold
            return (setting.name, isPair ? "\(value) \(syncPeriod)" : String(value))
        }
    }

    private static let threshold = "sync_threshold"

    /// The value of a setting; nil for a name that does not exist.
    package subscript(name: String) -> Int? {
        Settings.find(name).map { changed[$0.name] ?? $0.standard }
    }

    /// Changes a setting to what a text says: a number, for `sync_threshold` one or two.
    ///
    /// The name may carry the prefix `net.ipv4.vs.`.
    package mutating func set(_ name: String, text: String) throws(CommandRefusal) {
        guard let setting = Settings.find(name) else {
            throw .invalid("there is no setting \(name)")
        }
        let words = text.split { $0 == " " || $0 == "\t" }
        let numbers = words.compactMap { Int($0) }
        let isPair = setting.name == Settings.threshold
        guard let first = numbers.first, numbers.count == words.count else {
            throw .invalid("\(name): '\(text)' is not a number")
        }
        guard numbers.count <= (isPair ? 2 : 1) else {
            throw .invalid(
                "\(name): '\(text)' is more than \(isPair ? "two numbers" : "one number")")
        }
        try set(name, first, numbers.count == 2 ? numbers[1] : nil)
    }

    /// Changes a setting; `second` is that number of `sync_threshold`, nil for what it has.
    ///
    /// The name may carry the prefix `net.ipv4.vs.`.
    package mutating func set(
        _ name: String, _ value: Int, _ second: Int? = nil
    ) throws(CommandRefusal) {
        guard let setting = Settings.find(name) else {
            throw .invalid("there is no setting \(name)")
        }
        guard setting.range.contains(value) else {
            throw .invalid(
                "\(setting.name): \(value) is out of range, accepted are "
                    + "\(setting.range.lowerBound) to \(setting.range.upperBound)")
        }
        guard setting.supported?.contains(value) ?? true else {
            throw .notSupported("\(setting.name)=\(value): \(setting.limit)")
        }
        try checkPorts(setting.name, value)
        if setting.name == Settings.threshold { try setPeriod(second ?? syncPeriod, after: value) }
        changed[setting.name] = value
    }

    /// The least local port must not be above the highest one.
    private func checkPorts(_ name: String, _ value: Int) throws(CommandRefusal) {
        let (lowest, highest) = ("fullnat_lport_min", "fullnat_lport_max")
        guard name == lowest || name == highest else { return }
        let other = name == lowest ? highest : lowest
        guard let limit = self[other], name == lowest ? value > limit : value < limit else {
            return
        }
        throw .invalid(
            name == lowest
                ? "\(lowest): \(value) is above \(highest), accepted are 1024 to \(limit)"
                : "\(highest): \(value) is below \(lowest), accepted are \(limit) to 65535")
    }

    /// A connection is told of with those packets whose number leaves `packet` when divided by the period,
    /// so that must be below it.
    private mutating func setPeriod(
        _ period: Int, after packet: Int
    ) throws(CommandRefusal) {
        guard (0...Int(Int32.max)).contains(period), period == 0 || packet < period else {
            throw .invalid(
                "\(Settings.threshold): \(packet) \(period): the first number must be below the second, "
                    + "or the second 0; neither is negative")
        }
        syncPeriod = period
    }

    /// The local ports that FULLNAT may use.
    package var localPorts: ClosedRange<UInt16> {
        let first = UInt16(clamping: self["fullnat_lport_min"] ?? 1024)
        return first...max(first, UInt16(clamping: self["fullnat_lport_max"] ?? 65535))
    }

    /// Moves an automatic defence to the mode it is in now (1 off, 2 on).
    mutating func moveDefence(_ name: String, to mode: Int) { changed[name] = mode }

    static func find(_ name: String) -> Setting? {
        let prefixes = ["net.ipv4.vs.", "net.ipv4."]
        let prefix = prefixes.first { name.hasPrefix($0) } ?? ""
        let bare = name.dropFirst(prefix.count)
        return all.first { $0.name == bare }
    }
}
