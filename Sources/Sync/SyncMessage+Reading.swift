internal import LVS

extension SyncMessage {
    /// Reads a datagram's payload, as the kernel's backup daemon does: everything before a fault counts.
    ///
    /// With `syncID` 0 messages of all daemons are taken, otherwise those of its own number only.
    package init(_ bytes: [UInt8], syncID: UInt8 = 0) {
        let reader = MessageBytes(bytes)
        guard bytes.count >= Version.zero.headerBytes else {
            self.init(version: .zero, syncID: 0, faults: [.short])
            return
        }
        let isOne =
            bytes.count >= Version.one.headerBytes && bytes[0] == 0
            && bytes[5] == Version.one.rawValue && reader.u16(6) == 0
        self.init(version: isOne ? .one : .zero, syncID: bytes[1])
        guard reader.u16(2) == bytes.count else {
            faults = [.wrongSize]
            return
        }
        guard syncID == 0 || self.syncID == syncID else {
            faults = [.otherSyncID]
            return
        }
        if isOne {
            readOne(reader, count: Int(bytes[4]))
        } else {
            readZero(reader, count: Int(bytes[0]))
        }
    }

    // MARK: Version 1

    private mutating func readOne(_ bytes: MessageBytes, count: Int) {
        var start = Version.one.headerBytes
        for _ in 0..<count {
            guard start + EntryBytes.v4 <= bytes.count else { return end(.cutEntry) }
            let word = bytes.u16(start + 2)
            let size = Int(word & 0xfff)
            guard start + size <= bytes.count else { return end(.cutEntry) }
            guard word >> 12 == 0 else { return end(.entryVersion) }
            let family: AddressFamily
            switch bytes.u8(start) {
            case 0: family = .v4
            case let type where type & 1 != 0: family = .v6
            default: return end(.entryType)
            }
            let fixed = family == .v4 ? EntryBytes.v4 : EntryBytes.v6
            guard size >= fixed else { return end(.entrySize) }
            var entry = bytes.entry(at: start, family)
            switch entry.take(bytes, options: start + fixed..<start + size) {
            case nil: entries.append(entry)
            case .unknownOption?: faults.append(.unknownOption)
            case let fault?: return end(fault)
            }
            start += (size + 3) & ~3
        }
    }

    // MARK: Version 0

    private mutating func readZero(_ bytes: MessageBytes, count: Int) {
        var start = Version.zero.headerBytes
        for _ in 0..<count {
            guard start + EntryBytes.zero <= bytes.count else { return end(.cutEntry) }
            var entry = SyncEntry(
                family: .v4, transport: TransportProtocol(rawValue: bytes.u8(start + 1)),
                flags: SyncEntry.Flags(rawValue: UInt32(bytes.u16(start + 20))),
                state: bytes.u16(start + 22),
                client: IPAddress(v4: bytes.u32(start + 8)), clientPort: bytes.u16(start + 2),
                virtual: IPAddress(v4: bytes.u32(start + 12)),
                virtualPort: bytes.u16(start + 4),
                real: IPAddress(v4: bytes.u32(start + 16)), realPort: bytes.u16(start + 6))
            start += EntryBytes.zero
            if entry.flags.hasShift {
                guard start + EntryBytes.shifts <= bytes.count else { return end(.cutEntry) }
                entry.shifts = bytes.shifts(at: start) { UInt32(littleEndian: $0.byteSwapped) }
                start += EntryBytes.shifts
            }
            entries.append(entry)
        }
    }

    private mutating func end(_ fault: Fault) { faults.append(fault) }
}

extension SyncEntry {
    /// Takes the options of an entry of version 1; what is wrong with them, or nil.
    fileprivate mutating func take(
        _ bytes: MessageBytes, options: Range<Int>
    ) -> SyncMessage.Fault? {
        var rest = options
        while let position = rest.first {
            guard position + 2 <= options.upperBound else { return .badOption }
            let (kind, length) = (bytes.u8(position), Int(bytes.u8(position + 1)))
            let data = position + 2..<position + 2 + length
            guard length > 0, data.upperBound <= options.upperBound else { return .badOption }
            switch kind & ~SyncMessage.OptionKind.mayBeIgnored {
            case SyncMessage.OptionKind.shifts:
                guard length == SyncMessage.EntryBytes.shifts, shifts == nil else {
                    return .badOption
                }
                shifts = bytes.shifts(at: data.lowerBound) { $0 }
            case SyncMessage.OptionKind.engineData:
                guard engineData == nil else { return .badOption }
                engineData = Array(bytes.bytes[data])
            case SyncMessage.OptionKind.engineName:
                guard length <= Self.mostEngineName, engineName == nil else { return .badOption }
                engineName = Array(bytes.bytes[data])
            default:
                guard kind & SyncMessage.OptionKind.mayBeIgnored != 0 else {
                    return .unknownOption
                }
            }
            rest = data.upperBound..<options.upperBound
        }
        return nil
    }
}

/// Numbers of a message by their place, network order; the array sees to it that none lies outside.
private struct MessageBytes {
    let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var count: Int { bytes.count }

    func u8(_ offset: Int) -> UInt8 { bytes[offset] }

    func u16(_ offset: Int) -> UInt16 { UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1]) }

    func u32(_ offset: Int) -> UInt32 { UInt32(u16(offset)) << 16 | UInt32(u16(offset + 2)) }

    func u64(_ offset: Int) -> UInt64 { UInt64(u32(offset)) << 32 | UInt64(u32(offset + 4)) }

    /// An address of 4 or 16 bytes.
    func address(_ offset: Int, _ family: AddressFamily) -> IPAddress {
        family == .v4
            ? IPAddress(v4: u32(offset)) : IPAddress(wireHigh: u64(offset), low: u64(offset + 8))
    }

    /// What stands before the options of an entry of version 1.
    func entry(at start: Int, _ family: AddressFamily) -> SyncEntry {
        let length = family == .v4 ? 4 : 16
        var entry = SyncEntry(
            family: family, transport: TransportProtocol(rawValue: u8(start + 1)),
            flags: SyncEntry.Flags(rawValue: u32(start + 4)), state: u16(start + 8),
            client: address(start + 24, family), clientPort: u16(start + 10),
            virtual: address(start + 24 + length, family), virtualPort: u16(start + 12),
            real: address(start + 24 + 2 * length, family), realPort: u16(start + 14))
        entry.mark = u32(start + 16)
        entry.timeoutSeconds = u32(start + 20)
        return entry
    }

    /// Both directions' shifts, each number of them turned as asked.
    func shifts(at start: Int, _ turn: (UInt32) -> UInt32) -> SyncEntry.Shifts {
        func shift(_ offset: Int) -> SyncEntry.Shift {
            SyncEntry.Shift(
                start: turn(u32(offset)), delta: turn(u32(offset + 4)),
                earlierDelta: turn(u32(offset + 8)))
        }
        var shifts = SyncEntry.Shifts()
        shifts.input = shift(start)
        shifts.output = shift(start + 12)
        return shifts
    }
}
