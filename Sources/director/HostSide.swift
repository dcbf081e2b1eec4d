import LVS
import Logging
import PacketIO
import Posix

/// What the director arranges in the host: the ingress block, the host door and the rules that lead
/// replies of the host's own servers to it; or, where packets come by queues of netfilter, which keep
/// them from the host as well and give back what is the host's, the rules that lead to these.
///
/// Without the privilege or the kernel for them the director goes on and says what that means.
final class HostSide {
    private(set) var doors: [HostDoorDriver] = []
    private(set) var door: Port?
    private let surroundings: Surroundings
    private let redirects: RedirectMap?
    private let queues: NFQueueCommons?
    private let logger: Logger
    private var block: IngressBlock?
    private var rules: HostRules?
    private var queueRules: QueueRules?
    /// Whether the block and the rules hold this director's own services yet.
    private(set) var hasTakenOver = false

    /// `commons` holds the map that the drivers' programs in the kernel ask, and the queues, where
    /// there are some.
    init(_ surroundings: Surroundings, _ commons: DriverCommons, _ logger: Logger) {
        self.surroundings = surroundings
        redirects = commons.redirects
        queues = commons.queues.queues == nil ? nil : commons.queues
        self.logger = logger
    }

    /// Whether packets come by queues, and so with the marks of the host's netfilter.
    var hasQueues: Bool { queues != nil }

    /// Makes ready the rules that lead to the queues, or leaves them to the operator.
    func openQueues(managesRules: Bool) throws(QueueRulesError) {
        guard let queues else { return }
        queues.followForwarding()
        if managesRules { queueRules = try QueueRules(queues) }
    }

    /// Makes the door and finds out how to block; fails where another director has them.
    func open(doorPort: PortIndex, workers: Int) throws(SystemError) {
        guard queues == nil else { return }
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
        if queueRules != nil { objects.append(QueueRules.description) }
        if !doors.isEmpty { objects.append("host door: TUN device \(HostDoor.name)") }
        return objects
    }

    /// Makes block and rules hold exactly this; a failure is logged and they stay as they were.
    func keepOut(_ served: ServedTraffic) {
        hasTakenOver = true
        redirect { map throws(DriverError) in try map.update(served) }
        attempt { block throws(IngressBlockError) in try block.update(served) }
        lead { rules throws(QueueRulesError) in try rules.update(served) }
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
        lead { rules throws(QueueRulesError) in try rules.widen(by: more) }
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

    /// What became of packets that came by queues, for `status`.
    var queueSummary: [String] { queues?.summary ?? [] }

    /// Puts back a block or rules that somebody flushed; once a second.
    func keep() {
        queues?.followForwarding()
        lead { rules throws(QueueRulesError) in
            if try rules.keep() {
                logger.notice("the queue rules were gone (a flushed ruleset?) and stand again")
            }
        }
        attempt { block throws(IngressBlockError) in
            if try block.keep() {
                logger.notice("the ingress block was gone (a flushed ruleset?) and stands again")
            }
        }
    }

    /// Takes everything away.
    func remove() {
        attempt { block throws(IngressBlockError) in try block.remove() }
        lead { rules throws(QueueRulesError) in try rules.remove() }
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

    private func lead(_ body: (QueueRules) throws(QueueRulesError) -> Void) {
        guard let queueRules else { return }
        do throws(QueueRulesError) {
            try body(queueRules)
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
