/// A synchronisation message: the payload of one datagram (ipvs-semantics 9.2, 9.3).
///
/// ```
///  version 1   0      1        2      4         5             6       8
///              | 0    | syncid | size | entries | version = 1 | 0     | entries ...
///  version 0   0         1        2      4
///              | entries | syncid | size | entries ...
/// ```
/// Numbers are network order, but the sequence data of version 0, which is in the sender's own.
package struct SyncMessage: Hashable, Sendable {
    /// Format of messages, the setting `sync_version`.
    package enum Version: UInt8, CaseIterable, Sendable {
        case zero = 0
        case one = 1

        /// Bytes before the entries.
        var headerBytes: Int { self == .one ? 8 : 4 }
    }

    /// What was wrong with a message, or with an entry of it.
    package enum Fault: UInt8, CaseIterable, Hashable, Sendable, CustomStringConvertible {
        /// Shorter than its header.
        case short
        /// The size it names is not the size it has.
        case wrongSize
        /// For daemons of another number.
        case otherSyncID
        /// Ends within an entry.
        case cutEntry
        /// An entry of a version that is not known.
        case entryVersion
        /// An entry that is neither of IPv4 nor of IPv6.
        case entryType
        /// An entry whose size is less than what it must have.
        case entrySize
        /// An option that is longer than its entry, of a wrong length, or there twice.
        case badOption
        /// An option that is not known and must be; only its entry is lost.
        case unknownOption

        package var description: String {
            switch self {
            case .short: "shorter than a header"
            case .wrongSize: "names another size than it has"
            case .otherSyncID: "of another syncid"
            case .cutEntry: "ends within an entry"
            case .entryVersion: "an entry of an unknown version"
            case .entryType: "an entry of an unknown address family"
            case .entrySize: "an entry shorter than its addresses"
            case .badOption: "an option of a wrong length, or twice"
            case .unknownOption: "an option that is not known"
            }
        }
    }

    package var version: Version
    package var syncID: UInt8
    /// Those that could be read.
    package var entries: [SyncEntry]
    /// What could not be read: one entry each, or all from there on.
    package var faults: [Fault]

    package init(
        version: Version, syncID: UInt8, entries: [SyncEntry] = [], faults: [Fault] = []
    ) {
        self.version = version
        self.syncID = syncID
        self.entries = entries
        self.faults = faults
    }

    /// Kinds of option that version 1 has behind an entry's addresses.
    enum OptionKind {
        static let shifts: UInt8 = 1
        static let engineData: UInt8 = 2
        static let engineName: UInt8 = 3
        /// Set on options that a receiver may leave aside when it does not know them.
        static let mayBeIgnored: UInt8 = 0x40
    }

    /// Bytes of an entry without options: version 1 by family, and version 0.
    enum EntryBytes {
        static let v4 = 36
        static let v6 = 72
        static let zero = 24
        static let shifts = 24
    }
}
