internal import LVS

// The values in lines of a network sheet, and its routes, which have most of them.

extension NetworkSheet {
    /// The words of a line one by one.
    struct Words {
        private var rest: ArraySlice<String>

        init(_ words: ArraySlice<String>) { rest = words }

        mutating func next() -> String? { rest.popFirst() }

        mutating func value(of name: String) throws(Mistake) -> String {
            guard let value = rest.popFirst() else {
                throw Mistake(description: "\(name): its value is missing")
            }
            return value
        }

        mutating func hardware(of name: String) throws(Mistake) -> HardwareAddress {
            let text = try value(of: name)
            guard let hardware = HardwareAddress(colons: text) else {
                throw Mistake(
                    description: "\(name) \(text): a hardware address is accepted, as "
                        + "02:00:00:00:01:01")
            }
            return hardware
        }

        mutating func address(of name: String) throws(Mistake) -> IPAddress {
            let text = try value(of: name)
            guard let address = IPAddress(parsing: text) else {
                throw Mistake(description: "\(name) \(text): an IP address is accepted")
            }
            return address
        }

        mutating func number(
            of name: String, _ range: ClosedRange<UInt32>
        ) throws(Mistake) -> UInt32 {
            let text = try value(of: name)
            guard let number = UInt32(text), range.contains(number) else {
                throw Mistake(
                    description: "\(name) \(text): \(range.lowerBound) to \(range.upperBound) are "
                        + "accepted")
            }
            return number
        }
    }

    mutating func takeRoute(_ given: ArraySlice<String>) throws(Mistake) {
        var words = Words(given)
        guard var text = words.next() else {
            throw Mistake(description: "route: expected PREFIX/BITS or default")
        }
        let isRefusing = ["blackhole", "unreachable", "prohibit"].contains(text)
        if isRefusing { text = try words.value(of: text) }
        var gateway: IPAddress?
        var route = SheetRoute(prefix: .anyV4, length: 0)
        route.isRefusing = isRefusing
        while let word = words.next() {
            switch word {
            case "via":
                let value = try words.value(of: word)
                let isNamed = value == "inet" || value == "inet6"
                gateway = isNamed ? try words.address(of: word) : IPAddress(parsing: value)
                guard gateway != nil else {
                    throw Mistake(description: "via \(value): an IP address is accepted")
                }
            case "dev": route.link = try words.value(of: word)
            case "src": route.source = try words.address(of: word)
            case "mtu": route.mtu = try words.number(of: word, 68...65535)
            case "metric": route.metric = try words.number(of: word, 0...UInt32.max)
            case "proto", "scope", "table": _ = try words.value(of: word)
            case "onlink": continue
            default:
                throw Mistake(
                    description: "route: '\(word)' is not known, accepted are via, dev, src, mtu "
                        + "and metric")
            }
        }
        route.gateway = gateway
        if text == "default" {
            let family = gateway ?? route.source ?? .anyV4
            route.prefix = family.isV4 ? .anyV4 : .anyV6
        } else if let (prefix, length) = IPAddress.withPrefix(text) {
            route.prefix = prefix.prefix(length)
            route.length = length
        } else {
            throw Mistake(
                description: "route \(text): PREFIX/BITS or default is accepted")
        }
        guard isRefusing || gateway != nil || route.link != nil else {
            throw Mistake(description: "route: via GATEWAY or dev INTERFACE is missing")
        }
        if let link = route.link { _ = number(of: link) }
        routes.append(route)
    }
}

extension IPAddress {
    /// An address and the bits of its prefix, all of them where the text names none; nil for other
    /// texts.
    static func withPrefix(_ text: String) -> (IPAddress, UInt8)? {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = IPAddress(parsing: first) else { return nil }
        let most: UInt8 = address.isV4 ? 32 : 128
        guard parts.count == 2 else { return (address, most) }
        guard let length = UInt8(parts[1]), length <= most else { return nil }
        return (address, length)
    }
}
