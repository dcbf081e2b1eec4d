/// Message types of the dialect; the family numbers are the same on every connection because
/// ipvsadm uses the one it learnt on an earlier socket.
package enum NetlinkType {
    package static let error: UInt16 = 2
    package static let done: UInt16 = 3
    /// `nlctrl`, the family that tells the numbers of the others.
    package static let controller: UInt16 = 0x10
    package static let ipvs: UInt16 = 0x1c
    /// The private family for what netlink IPVS lacks.
    package static let extra: UInt16 = 0x1d
}

/// Flag bits of a message header.
package struct NetlinkFlags: OptionSet, Hashable, Sendable {
    package var rawValue: UInt16

    package init(rawValue: UInt16) { self.rawValue = rawValue }

    package static let request = NetlinkFlags(rawValue: 0x001)
    package static let multi = NetlinkFlags(rawValue: 0x002)
    package static let acknowledge = NetlinkFlags(rawValue: 0x004)
    /// Both bits together ask for a dump.
    package static let dump = NetlinkFlags(rawValue: 0x300)
    /// In an error message: only the header of the request is repeated.
    package static let capped = NetlinkFlags(rawValue: 0x100)
    /// In an error message: attributes follow the repeated request.
    package static let explained = NetlinkFlags(rawValue: 0x200)
}

/// Commands of the family `IPVS` (ipvs-semantics 10.1).
package enum IPVSCommand: UInt8, CaseIterable, Sendable {
    case newService = 1
    case setService, deleteService, getService
    case newDestination, setDestination, deleteDestination, getDestination
    case newDaemon, deleteDaemon, getDaemon
    case setConfiguration, getConfiguration
    case setInformation, getInformation
    case zero, flush
    /// The director's own: local addresses of FULLNAT, whose requests carry `Top.local`; without it
    /// they are not supported, as by the kernel.
    case newLocal = 18
    case deleteLocal, getLocal

    /// Whether no other IPVS has it.
    package var isPrivate: Bool { rawValue >= IPVSCommand.newLocal.rawValue }
}

/// Commands of the private family `IPVSX`.
package enum ExtraCommand: UInt8, CaseIterable, Sendable {
    /// The text of a name (and key), answered in pieces.
    case read = 1
    /// Gives a key of a name a value.
    case write = 2
}

/// Commands of `nlctrl`.
package enum ControllerCommand {
    package static let newFamily: UInt8 = 1
    package static let getFamily: UInt8 = 3
}

/// Attribute numbers, one name space for each nest (ipvs-semantics 10.1).
///
/// Those from 200 on are the director's own, in messages of its own programs and in answers about
/// what IPVS does not have; other programs pass over them.
package enum AttributeNumber {
    package enum Family {
        package static let number: UInt16 = 1
        package static let name: UInt16 = 2
        package static let version: UInt16 = 3
        package static let headerBytes: UInt16 = 4
        package static let highestAttribute: UInt16 = 5
        package static let operations: UInt16 = 6
    }

    /// What nlctrl tells of a command.
    package enum Operation {
        package static let number: UInt16 = 1
        package static let flags: UInt16 = 2
    }

    package enum Top {
        package static let service: UInt16 = 1
        package static let destination: UInt16 = 2
        package static let daemon: UInt16 = 3
        package static let timeoutTCP: UInt16 = 4
        package static let timeoutTCPFin: UInt16 = 5
        package static let timeoutUDP: UInt16 = 6
        package static let local: UInt16 = 200
    }

    /// Local addresses.
    package enum Local {
        package static let family: UInt16 = 1
        package static let first: UInt16 = 2
        package static let last: UInt16 = 3
        package static let takenPorts: UInt16 = 4
        package static let refused: UInt16 = 5
    }

    package enum Information {
        package static let version: UInt16 = 1
        package static let tableSize: UInt16 = 2
    }

    package enum Service {
        package static let family: UInt16 = 1
        package static let transport: UInt16 = 2
        package static let address: UInt16 = 3
        package static let port: UInt16 = 4
        package static let mark: UInt16 = 5
        package static let scheduler: UInt16 = 6
        package static let flags: UInt16 = 7
        package static let timeout: UInt16 = 8
        package static let netmask: UInt16 = 9
        package static let statistics: UInt16 = 10
        package static let engine: UInt16 = 11
        package static let statistics64: UInt16 = 12
        package static let fullNAT: UInt16 = 200
        package static let localCount: UInt16 = 201
    }

    package enum Destination {
        package static let address: UInt16 = 1
        package static let port: UInt16 = 2
        package static let method: UInt16 = 3
        package static let weight: UInt16 = 4
        package static let upperThreshold: UInt16 = 5
        package static let lowerThreshold: UInt16 = 6
        package static let active: UInt16 = 7
        package static let inactive: UInt16 = 8
        package static let persistent: UInt16 = 9
        package static let statistics: UInt16 = 10
        package static let family: UInt16 = 11
        package static let statistics64: UInt16 = 12
        package static let tunnelType: UInt16 = 13
        package static let tunnelPort: UInt16 = 14
        package static let tunnelFlags: UInt16 = 15
        package static let fullNAT: UInt16 = 200
    }

    package enum Daemon {
        package static let state: UInt16 = 1
        package static let interface: UInt16 = 2
        package static let syncID: UInt16 = 3
        package static let maximumBytes: UInt16 = 4
        package static let group: UInt16 = 5
        package static let group6: UInt16 = 6
        package static let port: UInt16 = 7
        package static let timeToLive: UInt16 = 8
    }

    package enum Extra {
        package static let name: UInt16 = 1
        package static let piece: UInt16 = 2
        package static let key: UInt16 = 3
        package static let value: UInt16 = 4
    }

    /// Attributes of an error message.
    package enum Explanation {
        package static let text: UInt16 = 1
    }
}
