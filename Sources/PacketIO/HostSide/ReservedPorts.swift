package import Posix

/// Keeps ports of local addresses that the host has itself from the host's own connections.
///
/// The kernel gives ports to sockets that did not ask for one, from `ip_local_port_range`, except for
/// those in `ip_local_reserved_ports`; both settings serve IPv4 and IPv6. What stands there already
/// stays, and only what this director added is taken back. Used by the housekeeper's thread, in the
/// network namespace of the interfaces.
package final class ReservedPorts {
    /// How many ports for its own connections the host is left with at least.
    package static let fewestLeft = 1000

    private static let reserved = "/proc/sys/net/ipv4/ip_local_reserved_ports"
    private static let given = "/proc/sys/net/ipv4/ip_local_port_range"

    /// What stands reserved by this director and by nobody else.
    private var added = PortSet()

    package init() {}

    /// Whether anything is reserved.
    package var isEmpty: Bool { added.isEmpty }

    /// Reserves exactly this range, or nothing.
    package func reserve(_ range: ClosedRange<UInt16>?) throws(SystemError) {
        guard range != nil || !added.isEmpty else { return }
        let present = PortSet(parsing: try Files.read(Self.reserved))
        let foreign = present.subtracting(added)
        let wanted = range.map { PortSet($0) } ?? PortSet()
        let new = foreign.union(wanted)
        if new != present { try Files.write(new.text + "\n", to: Self.reserved) }
        added = wanted.subtracting(foreign)
    }

    /// The ports that the host gives its own connections; nil when the kernel does not say.
    package func given() throws(SystemError) -> ClosedRange<UInt16>? {
        let words = try Files.read(Self.given).split { $0 == " " || $0 == "\t" || $0 == "\n" }
        guard words.count == 2, let first = UInt16(words[0]), let last = UInt16(words[1]),
            first <= last
        else { return nil }
        return first...last
    }

    /// What the host can do without of a range of ports: all of it, or the longer part beside the
    /// ports of its own connections; nil when there is no such part.
    package func spare(of range: ClosedRange<UInt16>) throws(SystemError) -> ClosedRange<UInt16>? {
        guard let given = try given() else { return range }
        let foreign = PortSet(parsing: try Files.read(Self.reserved)).subtracting(added)
        return Self.spare(of: range, given: given, reserved: foreign)
    }

    /// The same for a host that gives out the ports of `given` except for `reserved`.
    static func spare(
        of range: ClosedRange<UInt16>, given: ClosedRange<UInt16>, reserved: PortSet
    ) -> ClosedRange<UInt16>? {
        let left = PortSet(given).subtracting(reserved).subtracting(PortSet(range)).count
        guard left < fewestLeft else { return range }
        var parts: [ClosedRange<UInt16>] = []
        if range.lowerBound < given.lowerBound {
            parts.append(range.lowerBound...min(range.upperBound, given.lowerBound - 1))
        }
        if range.upperBound > given.upperBound {
            parts.append(max(range.lowerBound, given.upperBound + 1)...range.upperBound)
        }
        return parts.max { $0.count < $1.count }
    }
}

/// A set of ports, as the kernel writes it in lists: `8080,9148-9150`.
struct PortSet: Hashable {
    private var words = [UInt64](repeating: 0, count: 1024)

    init() {}

    init(_ range: ClosedRange<UInt16>) {
        for port in range { insert(port) }
    }

    /// Reads a list; what is no port or range in it is left out.
    init(parsing text: String) {
        for item in text.split(whereSeparator: { $0 == "," || $0 == "\n" || $0 == " " }) {
            let ends = item.split(separator: "-", maxSplits: 1).map { UInt16($0) }
            guard let first = ends.first ?? nil, let last = ends.last ?? nil, first <= last else {
                continue
            }
            for port in first...last { insert(port) }
        }
    }

    private mutating func insert(_ port: UInt16) {
        words[Int(port) / 64] |= 1 << UInt64(port & 63)
    }

    private func contains(_ port: UInt16) -> Bool {
        words[Int(port) / 64] >> UInt64(port & 63) & 1 == 1
    }

    var isEmpty: Bool { words.allSatisfy { $0 == 0 } }
    var count: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }

    func union(_ other: PortSet) -> PortSet { combined(with: other) { $0 | $1 } }
    func subtracting(_ other: PortSet) -> PortSet { combined(with: other) { $0 & ~$1 } }

    private func combined(
        with other: PortSet, _ operation: (UInt64, UInt64) -> UInt64
    ) -> PortSet {
        var result = PortSet()
        for (index, pair) in zip(words, other.words).enumerated() {
            result.words[index] = operation(pair.0, pair.1)
        }
        return result
    }

    /// The list, lowest port first.
    var text: String {
        var items: [String] = []
        var first: UInt16?
        for port in UInt16.min...UInt16.max {
            let isIn = contains(port)
            if isIn, first == nil { first = port }
            guard let begin = first, !isIn || port == .max else { continue }
            let last = isIn ? port : port - 1
            items.append(begin == last ? "\(begin)" : "\(begin)-\(last)")
            first = nil
        }
        return items.joined(separator: ",")
    }
}
