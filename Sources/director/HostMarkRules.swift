import Control
import LVS
import Logging
import PacketIO
import Posix

/// Follows the marking rules of the host's own netfilter.
final class HostMarkRules {
    private let host = HostMarks()
    private let table: KeptTable
    /// Whether packets carry the marks already, and rules only tell what they are about.
    private let isOnlyKnown: Bool
    private let logger: Logger
    private var reading: HostMarks.Reading?

    init(_ table: KeptTable, isOnlyKnown: Bool, _ logger: Logger) {
        self.table = table
        self.isOnlyKnown = isOnlyKnown
        self.logger = logger
    }

    /// Readable when the host's rules may have changed.
    var descriptor: Int32? { host.descriptor }

    /// Reads the host's rules if they may have changed.
    func follow(_ now: Instant) {
        guard host.isDue(now.nanoseconds) else { return }
        let reading = host.read(now.nanoseconds)
        guard reading != self.reading else { return }
        for trouble in reading.troubles where self.reading?.troubles.contains(trouble) != true {
            logger.notice("\(trouble)")
        }
        self.reading = reading
        let tables = HostMarkRules.tables(reading)
        let before = Set(table.followedMarks)
        let lines = tables.flatMap(\.lines)
        table.follow(NetfilterMarks.joined(tables), lines)
        for line in lines where !before.contains(line) {
            if isOnlyKnown {
                logger.debug("knows \(line.origin) \(line.text)")
            } else if let trouble = line.trouble {
                logger.warning("not followed (\(trouble)): \(line.origin) \(line.text)")
            } else {
                logger.info("follows \(line.origin) \(line.text)")
            }
        }
    }

    /// What iptables' tools saved and what nft lists, in the order in which packets meet it.
    private static func tables(_ reading: HostMarks.Reading) -> [NetfilterMarks] {
        let saved = reading.tables.map { NetfilterMarks($0.saved, $0.family, origin: $0.origin) }
        let own = NftRuleset.chains(reading.ruleset) { family, table in
            // iptables' own table, unless it says itself that the table is none of its own.
            table == "mangle"
                && reading.tables.contains { read in
                    read.origin == (family == "ip" ? "iptables" : "ip6tables")
                        && !read.saved.contains("is incompatible")
                }
        }
        let mangle = -150
        return own.filter { $0.priority < mangle }.map(\.marks) + saved
            + own.filter { $0.priority >= mangle }.map(\.marks)
    }

    /// What `status` says.
    var summary: [String] {
        let lines = table.followedMarks
        guard !isOnlyKnown else {
            let rows = ["packets bring the marks that the host's netfilter gave them"]
            return rows + (reading?.troubles ?? [])
        }
        let followed = lines.count { $0.trouble == nil }
        var rows = followed == 0 ? [] : ["\(followed) followed (directorctl mark -L)"]
        rows += lines.compactMap { line in
            line.trouble.map { "not followed: \(line.origin) \(line.text): \($0)" }
        }
        return rows + (reading?.troubles ?? [])
    }
}
