import Control
import LVS
import Logging
import PacketIO
import Posix

/// The local addresses of FULLNAT towards the outside: those that the host does not have are answered
/// for, and of those that it has the ports are kept from its own connections.
final class LocalAddresses {
    private let director: Director
    private let answering: AddressAnswering
    /// Whether some driver sees questions for addresses at all.
    private let hearsQuestions: Bool
    private let logger: Logger
    private let groups = SolicitedGroups()
    private let ports = ReservedPorts()
    /// The interfaces that are served, by the kernel's numbers.
    private var interfaces: [Int32] = []
    /// What was last said of the host's ports.
    private var trouble: String?
    private var known: Known?

    /// What the arrangements were last made for.
    private struct Known: Equatable {
        var owned: Set<IPAddress>
        var host: Set<IPAddress>
        var range: ClosedRange<UInt16>
        var interfaces: [Int32]
    }

    init(
        _ director: Director, _ answering: AddressAnswering, hearsQuestions: Bool, _ logger: Logger
    ) {
        self.director = director
        self.answering = answering
        self.hearsQuestions = hearsQuestions
        self.logger = logger
    }

    /// What stands in the host, for `status`.
    var objects: [String] {
        guard !ports.isEmpty else { return [] }
        let range = director.localPorts
        return [
            "reserved ports: \(range.lowerBound)-\(range.upperBound) in"
                + " net.ipv4.ip_local_reserved_ports"
        ]
    }

    /// The local addresses that the host has itself.
    private var shared: Set<IPAddress> {
        director.ownedLocals.intersection(director.hostAddresses)
    }

    /// Makes ready for addresses that are about to be used: where one is the host's, the host must be
    /// left with ports of its own.
    func admit(_ addresses: [IPAddress]) throws(CommandRefusal) {
        guard let address = addresses.first(where: director.hostAddresses.contains) else {
            if !hearsQuestions, let address = addresses.first {
                let advice = "give the host the address or have it routed to it"
                logger.warning(
                    "local address \(address): these drivers see no ARP and no ND; \(advice)")
            }
            return
        }
        try reserve(director.allowedLocalPorts, "the host has \(address) itself")
    }

    /// Takes over a range of local ports that a setting allows now; while the host has a local address,
    /// what it cannot do without is left out, or all is refused.
    func admitAllowedPorts() throws(CommandRefusal) {
        guard let address = shared.first else { return }
        try reserve(director.allowedLocalPorts, "the host has local address \(address) itself")
    }

    /// Reserves what the host can do without, and uses no other local ports.
    private func reserve(
        _ range: ClosedRange<UInt16>, _ why: String
    ) throws(CommandRefusal) {
        let spare: ClosedRange<UInt16>?
        let given: ClosedRange<UInt16>?
        do throws(SystemError) {
            spare = try ports.spare(of: range)
            given = try ports.given()
            if let spare { try ports.reserve(spare) }
        } catch {
            throw .invalid("\(why), and its ports cannot be reserved: \(error)")
        }
        let own = given.map { "\($0.lowerBound)-\($0.upperBound)" } ?? "unknown"
        guard let spare else {
            throw .invalid(
                "\(why): its own connections need the ports \(own) "
                    + "(net.ipv4.ip_local_port_range), and local ports "
                    + "\(range.lowerBound)-\(range.upperBound) are all among them; set "
                    + "fullnat_lport_min and fullnat_lport_max to a range beside them")
        }
        if spare != range, spare != director.localPorts {
            let range = "local ports are \(spare.lowerBound)-\(spare.upperBound)"
            logger.notice("\(why), and its own connections keep the ports \(own): \(range)")
        }
        director.limitLocalPorts(to: spare)
    }

    /// Takes back what was reserved for a command that was refused then.
    func settle() { reserveForShared() }

    /// Makes the arrangements those of what the director owns now; true when there are new addresses
    /// to be announced.
    ///
    /// `interfaces` are those that are served now, if that is news.
    func follow(interfaces: [Int32]? = nil) -> Bool {
        if let interfaces { self.interfaces = interfaces }
        let now = Known(
            owned: director.ownedLocals, host: director.hostAddresses,
            range: director.allowedLocalPorts,
            interfaces: self.interfaces)
        guard now != known else { return false }
        known = now
        let hasNew = answering.answer(for: now.owned.subtracting(now.host))
        for failure in groups.follow(self.interfaces, addresses: answering.addresses) {
            logger.warning("\(failure)")
        }
        reserveForShared()
        return hasNew
    }

    /// Reserves for addresses of the host, some of which it may have got after they were in use.
    private func reserveForShared() {
        guard let address = shared.first else {
            trouble = nil
            director.limitLocalPorts(to: director.allowedLocalPorts)
            return end()
        }
        do throws(CommandRefusal) {
            try reserve(director.allowedLocalPorts, "the host has local address \(address) itself")
            trouble = nil
        } catch {
            guard error.text != trouble else { return }
            trouble = error.text
            logger.warning("\(error.text); until then its connections may take ports of clients")
        }
    }

    /// Warns about stations that say a local address is theirs.
    func listen() {
        for claim in answering.takeClaims() {
            let (address, station) = (claim.address, claim.hardware)
            logger.warning(
                "\(station) says that it has \(address), too, which the director answers for")
        }
    }

    /// Takes back what was reserved.
    func end() {
        do throws(SystemError) {
            try ports.reserve(nil)
        } catch {
            logger.error("reserved ports: \(error)")
        }
    }
}
