import Synchronization

// What is looked at in a live entry before any of its numbers is used to find something.

/// Why an entry of a table that was adopted did not stay.
package enum AdoptionFlaw: Int, CaseIterable, Hashable, Sendable {
    /// It was being made when the process ended: no packet has passed by it.
    case unfinished
    case shape, lines, keys, server
    /// What a helper knows of its sequence numbers was being changed.
    case midChange
    case localPort
    case noRoom

    /// What a message counts, as in "2 with extension lines that cannot be".
    package var words: String {
        switch self {
        case .unfinished: "that were just being made"
        case .shape: "of a protocol, state or method that does not exist"
        case .lines: "with extension lines that cannot be"
        case .keys: "whose addresses are not those of their keys"
        case .server: "of a server that nobody knows"
        case .midChange: "whose sequence numbers were being changed"
        case .localPort: "whose local port cannot be theirs"
        case .noRoom: "that their replies cannot find"
        }
    }
}

extension TableAdoption {
    private static let tcpStates = UInt8(TCPState.allCases.count)
    private static let sctpStates = UInt8(SCTPState.allCases.count)
    private static let templateStates = UInt8(TemplateState.allCases.count)
    /// Most lines that an entry can have.
    private static let mostLines = 8

    /// What is wrong with a live entry; nil when it is whole.
    func flaw(of entry: Connection, _ control: ConnectionControl) -> AdoptionFlaw? {
        guard isShape(entry, control) else { return .shape }
        if entry.hasExtension {
            guard haveLines(entry, control) else { return .lines }
            guard fitKeys(entry) else { return .keys }
            if entry.hasHelper, isInMidChange(entry) { return .midChange }
        }
        let number = control.destination
        let isServer =
            number == Destination.none
            ? entry.goesWithoutDestination : knows(number, entry.real)
        return isServer ? nil : .server
    }

    /// Whether protocol, state, method and flags are such as an entry can have together.
    private func isShape(_ entry: Connection, _ control: ConnectionControl) -> Bool {
        let traits = entry.methodAndTraits
        let isTemplate = entry.isTemplate
        let states: UInt8
        switch entry.transport {
        case .tcp: states = TableAdoption.tcpStates
        case .udp: states = 1
        case .sctp: states = TableAdoption.sctpStates
        case .any where isTemplate: states = 1
        default: return false
        }
        guard traits & 7 <= Connection.shortRecordMethod,
            control.state < (isTemplate ? TableAdoption.templateStates : states)
        else { return false }
        if isTemplate {
            guard !entry.hasHelper, !entry.hasUnknownPort else { return false }
        }
        if entry.isWide || entry.hasHelper {
            guard entry.hasExtension else { return false }
        }
        let special =
            ConnectionControl.fullNAT | ConnectionControl.changesSegments
            | ConnectionControl.translatesFamily
        guard control.rawValue & special != 0 || entry.hasShortRecord else { return true }
        let changes = control.rawValue & ConnectionControl.changesSegments != 0
        guard control.isFullNAT, !isTemplate, entry.method == .masquerading else { return false }
        if control.translatesFamily, !entry.isWide { return false }
        if changes, entry.transport != .tcp { return false }
        return entry.hasShortRecord
            ? changes && !entry.isWide : !changes || entry.hasExtension
    }

    /// Whether the entry's lines are in the table, are lines, end, and are as many as it must have.
    private func haveLines(_ entry: Connection, _ control: ConnectionControl) -> Bool {
        var count = 0
        var number = unsafe entry.entry.le32(60)
        while number != Connection.noNumber {
            guard number < limit, number != entry.number, count < TableAdoption.mostLines else {
                return false
            }
            let line = table.connection(number)
            guard !line.isLive else { return false }
            count += 1
            number = unsafe line.entry.le32(56)
        }
        let record =
            control.rawValue & ConnectionControl.changesSegments != 0 && !entry.hasShortRecord
        let local = control.isFullNAT && entry.isWide && !control.translatesFamily
        let needed =
            (entry.hasAddressLine ? 1 : 0) + (local ? 1 : 0) + (entry.hasHelper ? 1 : 0)
            + (record ? 1 : 0)
        guard entry.isTemplate, count > needed else { return count == needed && count > 0 }
        // What a persistence engine found in a packet stands behind the addresses.
        guard let first = unsafe entry.extraLine(0) else { return false }
        return unsafe count == needed + Connection.engineLines(Int(first.byte(8)))
    }

    /// Whether the addresses in the lines are those that the keys were made of.
    private func fitKeys(_ entry: Connection) -> Bool {
        let wide = entry.isWide ? ConnectionKey.wideBit : 0
        let inbound = entry.key(.inbound)
        var tuple = ConnectionTuple(
            source: entry.client, destination: entry.virtual, ports: inbound.ports,
            transport: inbound.transport ^ wide)
        tuple.tag = entry.engineTag
        guard tuple.isWide == entry.isWide, table.key(tuple) == inbound else { return false }
        guard entry.isFoundByReplies else { return true }
        let outbound = entry.key(.outbound)
        let reply = ConnectionTuple(
            source: entry.replySource, destination: entry.replyDestination,
            ports: outbound.ports, transport: entry.transport.rawValue)
        return table.key(reply) == outbound
    }

    private func isInMidChange(_ entry: Connection) -> Bool {
        guard let version = unsafe entry.helperWord(0) else { return true }
        return unsafe version.pointee.load(ordering: .relaxed) & 1 != 0
    }
}
