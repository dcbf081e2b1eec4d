import LVS
import Logging
import PacketIO
import Posix

/// What the director arranges in the host: the ingress block and the host door.
///
/// Without the privilege or the kernel for them the director goes on and says what that means.
final class HostSide {
    let doorPort: PortIndex
    let mtu: UInt32
    private(set) var doors: [HostDoorDriver] = []
    private let surroundings: Surroundings
    private let logger: Logger
    private var block: IngressBlock?

    init(surroundings: Surroundings, doorPort: PortIndex, mtu: UInt32, _ logger: Logger) {
        self.surroundings = surroundings
        self.doorPort = doorPort
        self.mtu = mtu
        self.logger = logger
        do throws(SystemError) {
            doors = try HostDoor.open(port: doorPort, workers: 1, mtu: mtu)
        } catch {
            logger.warning(
                "no host door (\(error)): what IPVS would leave to the host is lost to it on served addresses"
            )
        }
        do throws(IngressBlockError) {
            block = try IngressBlock(interfaces: interfaces)
        } catch {
            logger.warning(
                "\(error): the host's stack sees served frames too, and may answer or forward them")
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

    /// Makes the block hold this; a failure is logged and the block stays as it was.
    func keepOut(_ served: ServedTraffic) {
        attempt { block throws(IngressBlockError) in try block.update(served) }
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
    }

    private func attempt(_ body: (IngressBlock) throws(IngressBlockError) -> Void) {
        guard let block else { return }
        do throws(IngressBlockError) {
            try body(block)
        } catch {
            logger.error("\(error)")
        }
    }
}
