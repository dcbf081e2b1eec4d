/// How many ICMP errors the workers send, as the kernel limits them: to each client six at once and
/// then one every `icmp_ratelimit`, to all together `icmp_msgs_burst` at once and then
/// `icmp_msgs_per_sec`; types that `icmp_ratemask` leaves out, and what path MTU discovery lives on,
/// as many as there are.
struct ICMPRateLimiter {
    /// The settings, with their defaults.
    struct Rate: Hashable {
        /// Between two errors to one client; 0 switches every limit off.
        var milliseconds: UInt32 = 1000
        /// A bit for every type that is limited.
        var types: UInt32 = 0x1818
        var perSecond: UInt32 = 1000
        var atOnce: UInt32 = 50
    }

    private struct Client {
        var address = IPAddress.anyV6
        var credit: UInt64 = 0
        var last = Instant(nanoseconds: 0)
    }

    private static let burst: UInt64 = 6
    private static let slots = 1024

    /// A client whose slot another one takes begins anew: a limit on memory, not on fairness.
    private var clients = [Client](repeating: Client(), count: ICMPRateLimiter.slots)
    /// What may be sent to all clients together, in millionths of an error.
    private var credit = UInt64.max
    private var last = Instant(nanoseconds: 0)

    /// True when this client may get the error now, which then counts.
    mutating func allows(
        _ error: ICMPError, to client: IPAddress, by routeBits: UInt8, _ rate: Rate, now: Instant
    ) -> Bool {
        guard rate.milliseconds != 0, error.isLimited(by: rate.types, client.family) else {
            return true
        }
        // An IPv6 client gets errors twice as often for each 32 bits that its route leaves free.
        let doublings = client.isV4 ? 0 : (128 - UInt64(min(routeBits, 128))) >> 5
        return allowsAny(rate, now) && allowsOne(client, rate, doublings, now)
    }

    private mutating func allowsAny(_ rate: Rate, _ now: Instant) -> Bool {
        let passed = ICMPRateLimiter.nanoseconds(from: last, to: now)
        // The workers' clocks were read at different times.
        last = max(last, now)
        let most = UInt64(rate.atOnce) * 1_000_000
        let gained = min(passed, 1_000_000_000) / 1000 * UInt64(rate.perSecond)
        credit = min(most, min(credit, most) + gained)
        guard credit >= 1_000_000 else { return false }
        credit -= 1_000_000
        return true
    }

    private mutating func allowsOne(
        _ address: IPAddress, _ rate: Rate, _ doublings: UInt64, _ now: Instant
    ) -> Bool {
        let hash = (address.low ^ address.high) &* 0x9e37_79b9_7f4a_7c15
        let slot = Int(hash >> 54)
        let cost = UInt64(rate.milliseconds) * 1_000_000 >> doublings
        let most = ICMPRateLimiter.burst * cost
        if clients[slot].address != address {
            clients[slot] = Client(address: address, credit: most, last: now)
        }
        let passed = ICMPRateLimiter.nanoseconds(from: clients[slot].last, to: now)
        let credit = min(most, clients[slot].credit + min(passed, most))
        clients[slot].last = max(clients[slot].last, now)
        let isEnough = credit >= cost
        clients[slot].credit = isEnough ? credit - cost : credit
        return isEnough
    }

    private static func nanoseconds(from start: Instant, to end: Instant) -> UInt64 {
        end > start ? end.nanoseconds - start.nanoseconds : 0
    }
}

extension ICMPError {
    /// Whether errors of this type are limited; path MTU discovery never is.
    ///
    /// The mask is one of IPv4 types; all others of IPv6 are limited.
    fileprivate func isLimited(by types: UInt32, _ family: AddressFamily) -> Bool {
        let type = numbers(family).type
        guard !saysMTU(family) else { return false }
        return family == .v6 || (type < 32 && types >> UInt32(type) & 1 != 0)
    }
}
