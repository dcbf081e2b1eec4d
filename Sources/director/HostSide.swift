import LVS
import Logging
import PacketIO
import Posix

/// What the director arranges in the host: the ingress block, the host door and the rules that lead
/// replies of the host's own servers to it.
///
/// Without the privilege or the kernel for them the director goes on and says what that means.
final class HostSide {
    private(set) var doors: [HostDoorDriver] = []
    private(set) var door: Port?
    private let surroundings: Surroundings
    private let redirects: RedirectMap?
    private let logger: Logger
    private var block: IngressBlock?
    private var rules: HostRules?
    /// Whether the block and the rules hold this director's own services yet.
    private(set) var hasTakenOver = false

    /// `redirects` is the map that the drivers' programs in the kernel ask, where there are some.
    init(_ surroundings: Surroundings, redirects: RedirectMap?, _ logger: Logger) {
        self.surroundings = surroundings
        self.redirects = redirects
        self.logger = logger
    }

    /// Makes the door and finds out how to block; fails where another director has them.
    func open(doorPort: PortIndex, workers: Int) throws(SystemError) {
        let mtu = surroundings.ports.map(\.mtu).min() ?? 1500
        do throws(SystemError) {
            doors = try HostDoor.open(port: doorPort, workers: workers, mtu: mtu)
            door = HostDoor.port(doorPort, mtu: mtu)
        } catch  where error.isInUse {
            throw error
        } catch {
            logger.warning(
                "\(error): what IPVS would leave to the host is lost to it on served addresses")
        }
        do throws(IngressBlockError) {
            block = try IngressBlock(interfaces: interfaces)
        } catch {
            logger.warning(
                "\(error): the host's stack sees served frames too, and may answer or forward them")
        }
        guard door != nil else { return }
        do throws(SystemError) {
            rules = try HostRules()
        } catch {
            logger.warning("\(error): replies of real servers on this host are not translated")
        }
    }

    private var interfaces: [IngressBlock.Interface] {
        let vlans = surroundings.servedVLANs
        return surroundings.ports.compactMap { port in
            surroundings.interface(of: port.index).map {
                IngressBlock.Interface(
                    index: $0, name: port.name, foreignVLANs: vlans[port.index] ?? [])
            }
        }
    }

    /// The names of what stands in the host now, for `status`.
    var objects: [String] {
        var objects: [String] = []
        if let block { objects.append("ingress block: \(block.mechanism)") }
        if !doors.isEmpty { objects.append("host door: TUN device \(HostDoor.name)") }
        return objects
    }

    /// Makes block and rules hold exactly this; a failure is logged and they stay as they were.
    func keepOut(_ served: ServedTraffic) {
        hasTakenOver = true
        redirect { map throws(DriverError) in try map.update(served) }
        attempt { block throws(IngressBlockError) in try block.update(served) }
        guard let rules else { return }
        do throws(SystemError) {
            try rules.update(served)
        } catch {
            logger.error("rules for servers on this host: \(error)")
        }
    }

    /// Keeps this from the host as well, before it is served.
    func keepOut(also more: ServedTraffic) {
        hasTakenOver = true
        redirect { map throws(DriverError) in try map.widen(by: more) }
        attempt { block throws(IngressBlockError) in try block.widen(by: more) }
    }

    /// Follows the host's routes: what leaves by interfaces that are not served is led past the door.
    func followRoutes() {
        guard let rules else { return }
        do throws(SystemError) {
            try rules.follow(surroundings.routes)
        } catch {
            logger.error("routes for servers on this host: \(error)")
        }
    }

    /// Follows interfaces that came or went.
    func followInterfaces() {
        let interfaces = interfaces
        attempt { block throws(IngressBlockError) in try block.setInterfaces(interfaces) }
    }

    /// Puts back a block that somebody flushed; once a second.
    func keep() {
        attempt { block throws(IngressBlockError) in
            if try block.keep() {
                logger.notice("the ingress block was gone (a flushed ruleset?) and stands again")
            }
        }
    }

    /// Takes everything away.
    func remove() {
        attempt { block throws(IngressBlockError) in try block.remove() }
        do throws(SystemError) {
            try rules?.remove()
        } catch {
            logger.error("rules for servers on this host: \(error)")
        }
    }

    private func attempt(_ body: (IngressBlock) throws(IngressBlockError) -> Void) {
        guard let block else { return }
        do throws(IngressBlockError) {
            try body(block)
        } catch {
            logger.error("\(error)")
        }
    }

    /// Has the drivers' programs in the kernel know what is the director's.
    private func redirect(_ body: (RedirectMap) throws(DriverError) -> Void) {
        guard let redirects else { return }
        do throws(DriverError) {
            try body(redirects)
        } catch {
            logger.error("\(error)")
        }
    }
}
