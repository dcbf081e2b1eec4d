package import LVS

/// Interfaces, addresses, routes and neighbours of a director that no kernel is asked about.
///
/// The lines are those that `ip -batch` takes:
/// ```
/// link set dev cli address 02:00:00:00:01:01 mtu 1500
/// address add 10.1.0.1/24 dev cli
/// route add default via 10.1.0.254
/// neighbour add 10.2.0.11 lladdr 02:00:00:00:02:0b dev srv
/// ```
/// The short words of `ip` are accepted too, and a leading `ip`; interfaces are numbered in the order
/// they are first named.
package struct NetworkSheet: Hashable, Sendable {
    /// An interface; what the sheet does not say is nil.
    package struct Link: Hashable, Sendable {
        package var name: String
        package var hardware: HardwareAddress?
        package var mtu: UInt32?
    }

    /// An address of the director and the bits of its prefix.
    package struct Address: Hashable, Sendable {
        package var address: IPAddress
        package var length: UInt8
        package var link: String
    }

    /// A line that cannot be followed: what was wrong, and what is accepted.
    package struct Mistake: Error, Hashable, Sendable, CustomStringConvertible {
        package var description: String
    }

    package var links: [Link] = []
    package var addresses: [Address] = []
    package var routes: [SheetRoute] = []
    package var neighbours: [SheetNeighbour] = []

    package init() {}

    /// True for words that begin a line of a network sheet.
    package static func begins(with word: some StringProtocol) -> Bool {
        word == "ip" || Object(word) != nil
    }

    /// Follows one line; the words of one that is refused have changed nothing.
    package mutating func take(_ line: Substring) throws(Mistake) {
        var words = line.split(whereSeparator: \.isWhitespace).map(String.init)[...]
        if words.first == "ip" { words.removeFirst() }
        while let word = words.first, ["-4", "-6"].contains(word) { words.removeFirst() }
        guard let object = words.popFirst().flatMap({ Object($0) }) else {
            throw Mistake(description: "expected link, address, route or neighbour")
        }
        guard let verb = words.popFirst(), object.verbs.contains(verb) else {
            throw Mistake(
                description: "expected \(object.rawValue) \(object.verbs.joined(separator: ", "))")
        }
        // Each changes something only when all of its line is understood.
        switch object {
        case .link: try takeLink(words)
        case .address: try takeAddress(words)
        case .route: try takeRoute(words)
        case .neighbour: try takeNeighbour(words)
        }
    }

    /// What a line is about.
    private enum Object: String {
        case link, address, route, neighbour

        init?(_ word: some StringProtocol) {
            switch String(word) {
            case "link", "l": self = .link
            case "address", "addr", "a": self = .address
            case "route", "r": self = .route
            case "neighbour", "neighbor", "neigh", "n": self = .neighbour
            default: return nil
            }
        }

        var verbs: [String] {
            switch self {
            case .link: ["set", "add"]
            default: ["add", "replace"]
            }
        }
    }

    private mutating func takeLink(_ given: ArraySlice<String>) throws(Mistake) {
        var words = Words(given)
        var name: String?
        var hardware: HardwareAddress?
        var mtu: UInt32?
        while let word = words.next() {
            switch word {
            case "dev", "name": name = try words.value(of: word)
            case "address", "addr": hardware = try words.hardware(of: word)
            case "mtu": mtu = try words.number(of: word, 68...65535)
            case "type": _ = try words.value(of: word)
            case "up", "multicast", "on": continue
            default:
                guard name == nil else {
                    throw Mistake(
                        description: "link: '\(word)' is not known, accepted are dev, address, mtu,"
                            + " type and up")
                }
                name = word
            }
        }
        guard let name else { throw Mistake(description: "link: the interface's name is missing") }
        let index = number(of: name)
        if let hardware { links[index].hardware = hardware }
        if let mtu { links[index].mtu = mtu }
    }

    private mutating func takeAddress(_ given: ArraySlice<String>) throws(Mistake) {
        var words = Words(given)
        guard let text = words.next(), let (address, length) = IPAddress.withPrefix(text) else {
            throw Mistake(description: "address: expected ADDRESS/BITS, as 10.1.0.1/24")
        }
        var link: String?
        while let word = words.next() {
            switch word {
            case "dev": link = try words.value(of: word)
            case "brd", "broadcast", "scope", "label": _ = try words.value(of: word)
            case "nodad", "noprefixroute": continue
            default:
                throw Mistake(description: "address: '\(word)' is not known, accepted is dev")
            }
        }
        guard let link else { throw Mistake(description: "address: dev INTERFACE is missing") }
        _ = number(of: link)
        addresses.append(Address(address: address, length: length, link: link))
    }

    private mutating func takeNeighbour(_ given: ArraySlice<String>) throws(Mistake) {
        var words = Words(given)
        guard let text = words.next(), let address = IPAddress(parsing: text) else {
            throw Mistake(description: "neighbour: expected an IP address")
        }
        var link: String?
        var hardware: HardwareAddress?
        while let word = words.next() {
            switch word {
            case "dev": link = try words.value(of: word)
            case "lladdr": hardware = try words.hardware(of: word)
            case "nud": _ = try words.value(of: word)
            default:
                throw Mistake(
                    description: "neighbour: '\(word)' is not known, accepted are lladdr, dev, nud")
            }
        }
        guard let link, let hardware else {
            throw Mistake(description: "neighbour: expected ADDRESS lladdr MAC dev INTERFACE")
        }
        _ = number(of: link)
        neighbours.append(SheetNeighbour(address: address, hardware: hardware, link: link))
    }

    /// Position of an interface, which is new when it has not been named before.
    mutating func number(of name: String) -> Int {
        if let known = links.firstIndex(where: { $0.name == name }) { return known }
        links.append(Link(name: name))
        return links.count - 1
    }
}

/// A route of a network sheet.
package struct SheetRoute: Hashable, Sendable {
    package var prefix: IPAddress
    package var length: UInt8
    package var gateway: IPAddress?
    /// nil for a route by its gateway's interface, and for one that refuses.
    package var link: String?
    package var source: IPAddress?
    package var mtu: UInt32 = 0
    package var metric: UInt32 = 0
    package var isRefusing = false
}

/// A neighbour of a network sheet.
package struct SheetNeighbour: Hashable, Sendable {
    package var address: IPAddress
    package var hardware: HardwareAddress
    package var link: String
}
