import LVS
import Posix

extension CommandExecutor {
    private typealias Top = AttributeNumber.Top

    /// Version of the IPVS that is spoken: 1.2.1.
    static let version: UInt32 = 0x010201

    /// Carries out a command that is no dump.
    func execute(
        _ command: IPVSCommand, _ attributes: NetlinkAttributes
    ) throws(Refusal) -> Answer {
        switch command {
        case .newService, .setService, .deleteService:
            try change(service: command, attributes)
        case .newDestination, .setDestination, .deleteDestination:
            try change(destination: command, attributes)
        case .newLocal, .deleteLocal:
            try change(locals: command, attributes)
        case .zero:
            try zero(attributes)
        case .flush:
            target.flush()
        case .newDaemon:
            let request = try DaemonRecord(attributes.nest(Top.daemon), starting: true)
            guard !hasMixedFamilies else {
                throw Refusal(.invalid, "mixed families exclude a synchronisation daemon")
            }
            try syncDaemons.start(
                request, mtu: NetworkNamespace.mtu(ofInterface:), daemon.startSynchronising)
            target.setBackupDaemon(isRunning: syncDaemons.hasBackup)
        case .deleteDaemon:
            let request = try DaemonRecord(attributes.nest(Top.daemon), starting: false)
            try syncDaemons.stop(request)
            daemon.stopSynchronising(request)
            target.setBackupDaemon(isRunning: syncDaemons.hasBackup)
        case .setConfiguration:
            try setTimeouts(attributes)
        case .getConfiguration:
            let timeouts = target.timeouts
            return .one { writer in
                writer.generic(IPVSCommand.setConfiguration.rawValue)
                timeouts.write(to: &writer)
            }
        case .getInformation:
            let size = target.tableSize
            return .one { writer in
                writer.generic(IPVSCommand.setInformation.rawValue)
                writer.attribute(AttributeNumber.Information.version, Self.version)
                writer.attribute(AttributeNumber.Information.tableSize, size)
            }
        case .getService:
            let request = try existing(attributes).request
            guard let key = request.key, let found = target.service(key) else {
                throw Refusal(.noSuchService)
            }
            return .one { Self.write(found, to: &$0) }
        case .getDestination, .getDaemon, .setInformation, .getLocal:
            throw Refusal(.notSupported)
        }
        return .nothing
    }

    /// Carries out a dump.
    func list(
        _ command: IPVSCommand, _ attributes: NetlinkAttributes
    ) throws(Refusal) -> Answer {
        switch command {
        case .getService:
            return .many(Self.each(target.services(), Self.write))
        case .getDestination:
            // For a service that is not there, or is not even named, the kernel dumps nothing.
            let request = try? ServiceRecord(attributes.nest(Top.service), needing: .identity)
            let servers = request?.key.map { target.destinations(of: $0) } ?? []
            return .many(
                Self.each(servers) { server, writer in
                    writer.generic(IPVSCommand.newDestination.rawValue)
                    server.write(.everything, to: &writer)
                })
        case .getLocal:
            guard let key = try existing(attributes).request.key else {
                throw Refusal(.noSuchService)
            }
            return .many(
                Self.each(target.locals(of: key)) { local, writer in
                    writer.generic(IPVSCommand.newLocal.rawValue)
                    local.write(to: &writer)
                })
        case .getDaemon:
            return .many(
                Self.each(syncDaemons.records) { daemon, writer in
                    writer.generic(IPVSCommand.newDaemon.rawValue)
                    daemon.write(to: &writer)
                })
        default:
            throw Refusal(.notSupported)
        }
    }

    /// Whether a service has a real server of the other family.
    private var hasMixedFamilies: Bool {
        target.services().contains { service in
            guard let key = service.key else { return false }
            return target.destinations(of: key).contains { $0.family != service.family }
        }
    }

    private static func write(_ service: ServiceRecord, to writer: inout NetlinkWriter) {
        writer.generic(IPVSCommand.newService.rawValue)
        service.write(.everything, to: &writer)
    }

    /// The service a request names, which must exist.
    private func existing(
        _ attributes: NetlinkAttributes, needing extent: ServiceRecord.Extent = .identity
    ) throws(Refusal) -> (request: ServiceRecord, found: VirtualService) {
        let request = try ServiceRecord(attributes.nest(Top.service), needing: extent)
        guard let key = request.key, let found = target.configured(key) else {
            throw Refusal(.noSuchService)
        }
        return (request, found)
    }

    private func change(
        service kind: IPVSCommand, _ attributes: NetlinkAttributes
    ) throws(Refusal) {
        if kind == .newService {
            let request = try ServiceRecord(attributes.nest(Top.service), needing: .configuration)
            let service = try request.service(editing: nil)
            guard target.configured(service.key) == nil else { throw Refusal(.exists) }
            try command { () throws(CommandRefusal) in try target.add(service) }
            return
        }
        let extent = kind == .setService ? ServiceRecord.Extent.configuration : .identity
        let (request, found) = try existing(attributes, needing: extent)
        let service = try request.service(editing: found)
        try command { () throws(CommandRefusal) in
            if kind == .setService {
                try target.edit(service)
            } else {
                try target.delete(service.key)
            }
        }
    }

    private func change(
        destination kind: IPVSCommand, _ attributes: NetlinkAttributes
    ) throws(Refusal) {
        let (request, _) = try existing(attributes)
        guard let key = request.key else { throw Refusal(.noSuchService) }
        let deleting = kind == .deleteDestination
        var record = try DestinationRecord(
            attributes.nest(Top.destination), needing: deleting ? .identity : .configuration,
            serviceFamily: request.family)
        if deleting {
            // An address that no real server can have is not found.
            guard record.address.family == record.family else { throw Refusal(.noSuchEntry) }
            try command { () throws(CommandRefusal) in
                try target.delete(record.address, port: record.port, of: key)
            }
            return
        }
        keepFullNAT(of: &record, key)
        if record.family != request.family {
            guard syncDaemons.records.isEmpty else {
                throw Refusal(.invalid, "mixed families exclude a synchronisation daemon")
            }
            let isTranslated = record.isFullNAT && record.family == .v4
            guard isTranslated || record.method == UInt32(ForwardingMethod.tunnel.rawValue) else {
                throw Refusal(
                    .invalid,
                    "a real server of the other family needs the tunnel method, or FULLNAT when it "
                        + "is an IPv4 one")
            }
        }
        let server = try record.server()
        try command { () throws(CommandRefusal) in
            if kind == .newDestination {
                try target.add(server, to: key)
            } else {
                try target.edit(server, of: key)
            }
        }
    }

    /// Leaves a server with FULLNAT as it is when an edit says no more than NAT.
    ///
    /// Programs that do not know FULLNAT see such a server as one of NAT and send that back with a new
    /// weight (keepalived, ipvsadm -e -m); taken by the letter, it would lose its clients' way back.
    private func keepFullNAT(of record: inout DestinationRecord, _ key: ServiceKey) {
        guard record.fullNAT == nil,
            record.method == UInt32(ForwardingMethod.masquerading.rawValue),
            target.configured(record.address, port: record.port, of: key)?.method == .fullNAT
        else { return }
        record.fullNAT = true
    }

    private func change(
        locals kind: IPVSCommand, _ attributes: NetlinkAttributes
    ) throws(Refusal) {
        guard let key = try existing(attributes).request.key else {
            throw Refusal(.noSuchService)
        }
        let addresses = try LocalRange(attributes.nest(Top.local)).addresses
        try command { () throws(CommandRefusal) in
            if kind == .newLocal {
                try target.addLocals(addresses, to: key)
            } else {
                try target.deleteLocals(addresses, of: key)
            }
        }
    }

    private func zero(_ attributes: NetlinkAttributes) throws(Refusal) {
        var key: ServiceKey?
        if attributes[Top.service] != nil { key = try existing(attributes).request.key }
        try command { () throws(CommandRefusal) in try target.zero(key) }
    }

    private func setTimeouts(_ attributes: NetlinkAttributes) throws(Refusal) {
        let timeouts = try TimeoutsRecord(attributes)
        guard timeouts.tcpSeconds >= 0, timeouts.tcpFinSeconds >= 0, timeouts.udpSeconds >= 0
        else { throw Refusal(.invalid, "a timeout is negative") }
        try command { () throws(CommandRefusal) in try target.setTimeouts(timeouts) }
    }
}
