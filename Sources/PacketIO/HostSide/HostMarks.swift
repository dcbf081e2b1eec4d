package import LVS
internal import Posix
internal import CPacketIO

/// Reads the mangle tables of the host's own netfilter, whose marks come too late for a packet socket,
/// and notices when they may have changed.
///
/// iptables' tools are asked for what is there, in both of their kinds: on nftables, whose changes the
/// kernel tells, and on the older ip_tables, which is read again from time to time while it has a
/// mangle table. Used by the housekeeper's thread only.
@safe
package final class HostMarks {
    /// What one tool saved.
    package struct Table: Hashable, Sendable {
        /// The tool that changes this table: `iptables`, `ip6tables-legacy`.
        package var origin: String
        package var family: AddressFamily
        /// The text of `iptables-save -t mangle`.
        package var saved: String
    }

    /// All tables, and why some of them could not be read.
    package struct Reading: Hashable, Sendable {
        package var tables: [Table] = []
        /// The text of `nft list ruleset`, with numbers for names; empty when there is none.
        package var ruleset = ""
        package var troubles: [String] = []

        package init() {}
    }

    /// How often the old tables are looked at, which nobody tells about.
    private static let legacyNanoseconds: UInt64 = 1_500_000_000
    /// How often everything is looked at when the kernel does not tell about nftables either.
    private static let blindNanoseconds: UInt64 = 2_000_000_000

    /// However fast rules change, they are not read again sooner.
    private static let restNanoseconds: UInt64 = 300_000_000

    private let events: OpaquePointer?
    private let filter = PacketFilter()
    private var isStale = true
    private var lastRead: UInt64 = 0

    /// Begins to listen; without the kernel's nftables it goes on without events.
    package init() {
        var opened: OpaquePointer?
        let result = unsafe lvs_nft_events_open(&opened)
        unsafe events = result == 0 ? opened : nil
    }

    deinit {
        if let events = unsafe events { unsafe lvs_nft_events_close(events) }
    }

    /// Readable when there is something for `isDue`; nil without events.
    package var descriptor: Int32? {
        guard let events = unsafe events else { return nil }
        return unsafe lvs_nft_events_descriptor(events)
    }

    /// Whether the tables should be read now (boot time, nanoseconds).
    package func isDue(_ now: UInt64) -> Bool {
        if let events = unsafe events {
            if unsafe lvs_nft_events_read(events) != 0 { isStale = true }
        } else if now &- lastRead >= HostMarks.blindNanoseconds {
            isStale = true
        }
        if now &- lastRead >= HostMarks.legacyNanoseconds, hasLegacy(.v4) || hasLegacy(.v6) {
            isStale = true
        }
        return isStale && now &- lastRead >= HostMarks.restNanoseconds
    }

    /// Reads all tables.
    package func read(_ now: UInt64) -> Reading {
        isStale = false
        lastRead = now
        var reading = Reading()
        let ruleset = filter?.list("list ruleset")
        for family in [AddressFamily.v4, .v6] {
            let name = family == .v4 ? "iptables" : "ip6tables"
            // Its table is one of nftables, and where there is none, nobody has to be asked: starting a
            // program takes longer than anything else that a director does at its start.
            let table = family == .v4 ? "table ip mangle" : "table ip6 mangle"
            add(
                "\(name)-nft-save", origin: name, family, &reading,
                isEmpty: ruleset.map { !$0.contains(table) } ?? false)
            if hasLegacy(family) {
                add("\(name)-legacy-save", origin: "\(name)-legacy", family, &reading)
            }
        }
        reading.ruleset = ruleset ?? ""
        return reading
    }

    private func add(
        _ tool: String, origin: String, _ family: AddressFamily, _ reading: inout Reading,
        isEmpty: Bool = false
    ) {
        guard let path = ChildProgram.find(tool) else {
            reading.troubles.append("\(tool) is not installed: rules of \(origin) are not followed")
            return
        }
        guard !isEmpty else {
            reading.tables.append(Table(origin: origin, family: family, saved: ""))
            return
        }
        do throws(SystemError) {
            let saved = try ChildProgram.output(of: path, ["-t", "mangle"])
            reading.tables.append(Table(origin: origin, family: family, saved: saved))
        } catch {
            reading.troubles.append("\(error): rules of \(origin) are not followed")
        }
    }

    /// Whether the older tables of a family are in use; asking the tool would make them.
    private func hasLegacy(_ family: AddressFamily) -> Bool {
        let file = family == .v4 ? "ip_tables_names" : "ip6_tables_names"
        guard let names = try? Files.read("/proc/thread-self/net/\(file)") else { return false }
        return names.split(separator: "\n").contains("mangle")
    }
}
