internal import LVS

/// Fills one message after the other with entries, byte for byte as the kernel's master daemon does.
package struct SyncMessageWriter: Sendable {
    /// Most entries of a message: one byte counts them.
    package static let mostEntries = 255

    package let version: SyncMessage.Version
    package let syncID: UInt8
    /// Longest message, bytes; the first entry of one is taken however long it is.
    package let maximumBytes: Int
    /// Entries in the message so far.
    package private(set) var count = 0
    private var bytes: [UInt8] = []

    package init(version: SyncMessage.Version, syncID: UInt8, maximumBytes: Int) {
        self.version = version
        self.syncID = syncID
        self.maximumBytes = min(maximumBytes, Int(UInt16.max))
        begin()
    }

    /// Adds an entry; false when it has no room here, or when the version cannot tell it (`canTell`).
    package mutating func append(_ entry: SyncEntry) -> Bool {
        guard canTell(entry), count < Self.mostEntries else { return false }
        let padding = version == .one ? -bytes.count & 3 : 0
        let size = size(of: entry)
        guard count == 0 || bytes.count + padding + size <= maximumBytes else { return false }
        bytes.append(contentsOf: repeatElement(0, count: padding))
        switch version {
        case .one: putOne(entry, size)
        case .zero: putZero(entry)
        }
        count += 1
        return true
    }

    /// Whether the version has a place for the entry: version 0 knows IPv4 only.
    package func canTell(_ entry: SyncEntry) -> Bool { version == .one || entry.family == .v4 }

    /// Whether the kernel would close the message now: of version 0 when no further entry has room.
    package var isFull: Bool {
        version == .zero && bytes.count + SyncMessage.EntryBytes.zero > maximumBytes
    }

    /// The message, which another begins behind; nil without any entry.
    package mutating func take() -> [UInt8]? {
        guard count > 0 else { return nil }
        defer { begin() }
        let size = UInt16(truncatingIfNeeded: bytes.count)
        bytes[2] = UInt8(size >> 8)
        bytes[3] = UInt8(truncatingIfNeeded: size)
        bytes[version == .one ? 4 : 0] = UInt8(count)
        return bytes
    }

    private mutating func begin() {
        count = 0
        bytes = [0, syncID, 0, 0]
        if version == .one { bytes += [0, SyncMessage.Version.one.rawValue, 0, 0] }
    }

    /// Bytes of an entry with its options.
    private func size(of entry: SyncEntry) -> Int {
        guard version == .one else {
            let isShifted = entry.flags.hasShift
            return SyncMessage.EntryBytes.zero + (isShifted ? SyncMessage.EntryBytes.shifts : 0)
        }
        var size =
            entry.family == .v4 ? SyncMessage.EntryBytes.v4 : SyncMessage.EntryBytes.v6
        if entry.shifts != nil { size += 2 + SyncMessage.EntryBytes.shifts }
        for text in [data(of: entry), name(of: entry)] where !text.isEmpty {
            size += 2 + text.count
        }
        return size
    }

    private func data(of entry: SyncEntry) -> ArraySlice<UInt8> {
        (entry.engineData ?? []).prefix(SyncEntry.mostEngineData)
    }

    private func name(of entry: SyncEntry) -> ArraySlice<UInt8> {
        (entry.engineName ?? []).prefix(SyncEntry.mostEngineName)
    }

    // MARK: Entries

    private mutating func putOne(_ entry: SyncEntry, _ size: Int) {
        put(entry.family == .v4 ? UInt8(0) : 1)
        put(entry.transport.rawValue)
        put(UInt16(size))
        put(entry.flags.subtracting(.hashed).rawValue)
        put(entry.state)
        put(entry.clientPort)
        put(entry.virtualPort)
        put(entry.realPort)
        put(entry.mark)
        put(entry.timeoutSeconds ?? 0)
        for address in [entry.client, entry.virtual, entry.real] {
            if entry.family == .v6 {
                put(address.wireHigh)
                put(address.low)
            } else {
                put(address.v4)
            }
        }
        if let shifts = entry.shifts {
            put(SyncMessage.OptionKind.shifts)
            put(UInt8(SyncMessage.EntryBytes.shifts))
            put(shifts) { $0 }
        }
        put(SyncMessage.OptionKind.engineData, data(of: entry))
        put(SyncMessage.OptionKind.engineName, name(of: entry))
    }

    private mutating func putZero(_ entry: SyncEntry) {
        put(UInt8(0))
        put(entry.transport.rawValue)
        put(entry.clientPort)
        put(entry.virtualPort)
        put(entry.realPort)
        for address in [entry.client, entry.virtual, entry.real] { put(address.v4) }
        put(UInt16(truncatingIfNeeded: entry.flags.subtracting(.hashed).rawValue))
        put(entry.state)
        guard entry.flags.hasShift else { return }
        put(entry.shifts ?? SyncEntry.Shifts()) { UInt32(littleEndian: $0.byteSwapped) }
    }

    private mutating func put(_ kind: UInt8, _ text: ArraySlice<UInt8>) {
        guard !text.isEmpty else { return }
        put(kind)
        put(UInt8(text.count))
        bytes += text
    }

    private mutating func put(_ shifts: SyncEntry.Shifts, _ turn: (UInt32) -> UInt32) {
        for shift in [shifts.input, shifts.output] {
            for number in [shift.start, shift.delta, shift.earlierDelta] { put(turn(number)) }
        }
    }

    /// Appends a number in network order.
    private mutating func put(_ value: some FixedWidthInteger & UnsignedInteger) {
        for shift in stride(from: value.bitWidth - 8, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }
}
