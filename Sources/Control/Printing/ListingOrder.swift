internal import LVS

/// A service and its servers, as a listing shows them.
package struct ListedService: Sendable {
    package var service: ServiceRecord
    /// In the order of the table: newest first.
    package var servers: [DestinationRecord]
    /// In the order they were added.
    package var locals: [LocalRecord]

    package init(
        service: ServiceRecord, servers: [DestinationRecord], locals: [LocalRecord] = []
    ) {
        self.service = service
        self.servers = servers
        self.locals = locals
    }

    /// The service with what a table has of it.
    init(_ service: ServiceRecord, of table: any DirectorTable) throws(Refusal) {
        self.init(
            service: service, servers: try table.servers(of: service),
            // A large table is not asked twice for each of its services.
            locals: service.localCount > 0 ? try table.locals(of: service) : [])
    }

    /// The whole table, in its own order.
    static func all(of table: any DirectorTable) throws(Refusal) -> [ListedService] {
        var listed: [ListedService] = []
        for service in try table.services() {
            listed.append(try ListedService(service, of: table))
        }
        return listed
    }
}

/// The order of sorted listings (ipvsadm-cli section 5).
///
/// The relation compares by the sign of a wrapping difference, so it is circular for values far
/// apart; what comes out then depends on the way of sorting, which is why it is spelled out here.
enum ListingOrder {
    static func sorted(_ services: [ListedService]) -> [ListedService] {
        mergeSorted(
            services.map {
                ListedService(
                    service: $0.service, servers: mergeSorted($0.servers, compare),
                    locals: $0.locals)
            }
        ) { compare($0.service, $1.service) }
    }

    /// Halves of n/2 and the rest; the first half wins ties.
    private static func mergeSorted<Element>(
        _ elements: [Element], _ compare: (Element, Element) -> Int
    ) -> [Element] {
        guard elements.count > 1 else { return elements }
        let middle = elements.count / 2
        let first = mergeSorted(Array(elements[..<middle]), compare)
        let second = mergeSorted(Array(elements[middle...]), compare)
        var merged: [Element] = []
        merged.reserveCapacity(elements.count)
        var (left, right) = (first[...], second[...])
        while let a = left.first, let b = right.first {
            if compare(a, b) <= 0 {
                merged.append(a)
                left.removeFirst()
            } else {
                merged.append(b)
                right.removeFirst()
            }
        }
        return merged + left + right
    }

    private static func compare(_ a: ServiceRecord, _ b: ServiceRecord) -> Int {
        let (first, second) = (key(a), key(b))
        if first.mark != second.mark { return difference(first.mark, second.mark) }
        if a.family != b.family { return a.family == .v4 ? -1 : 1 }
        if first.transport != second.transport {
            return Int(first.transport) - Int(second.transport)
        }
        let byAddress = difference(
            words(first.address, a.family), words(second.address, b.family))
        return byAddress != 0 ? byAddress : Int(first.port) - Int(second.port)
    }

    /// Servers of both families stand in one list; their words are compared all the same.
    private static func compare(_ a: DestinationRecord, _ b: DestinationRecord) -> Int {
        let byAddress = difference(words(a.address, a.family), words(b.address, b.family))
        return byAddress != 0 ? byAddress : Int(a.port) - Int(b.port)
    }

    private struct Key {
        var mark: UInt32 = 0
        var transport: UInt16 = 0
        var address = IPAddress.anyV4
        var port: UInt16 = 0
    }

    private static func key(_ service: ServiceRecord) -> Key {
        switch service.identity {
        case .mark(let mark): Key(mark: mark)
        case .endpoint(let transport, let address, let port):
            Key(transport: transport, address: address, port: port)
        }
    }

    /// The four words of an address as it travels; an IPv4 address is the first of them.
    private static func words(_ address: IPAddress, _ family: AddressFamily) -> [UInt32] {
        if family == .v4 { return [address.v4, 0, 0, 0] }
        return [address.high >> 32, address.high, address.low >> 32, address.low]
            .map(UInt32.init(truncatingIfNeeded:))
    }

    /// The first word that differs decides, by the sign of its wrapping difference.
    private static func difference(_ a: [UInt32], _ b: [UInt32]) -> Int {
        zip(a, b).lazy.map { difference($0, $1) }.first { $0 != 0 } ?? 0
    }

    private static func difference(_ a: UInt32, _ b: UInt32) -> Int {
        Int(Int32(bitPattern: a &- b))
    }
}
