import LVS
import Posix

/// Carries out the commands of the families against the engine, with the kernel's checks in the
/// kernel's order (ipvs-semantics 10.1, 10.2).
package final class CommandExecutor {
    let target: any ControlTarget
    let daemon: any DaemonTarget
    var syncDaemons = SyncDaemons()
    /// Whose request is being answered: numbers that the control socket gives its connections.
    private(set) var client: UInt64 = 0

    package init(target: any ControlTarget, daemon: any DaemonTarget) {
        self.target = target
        self.daemon = daemon
    }

    /// What a request is answered with, apart from acknowledgement and error.
    enum Answer {
        case nothing
        /// One message, whose generic-netlink body is written here.
        case one((inout NetlinkWriter) -> Void)
        /// A message each time the closure is called, until it returns false and writes nothing.
        case many((inout NetlinkWriter) -> Bool)
    }

    /// Answers one message of a client; `privileged` is whether it may command the director.
    func answer(
        _ message: NetlinkMessage, privileged: Bool, client: UInt64
    ) throws(Refusal) -> Answer {
        self.client = client
        let dump = message.flags.isSuperset(of: .dump)
        let known = [NetlinkType.controller, NetlinkType.ipvs, NetlinkType.extra]
        // What is no request, or a message about messages, is passed over.
        guard message.flags.contains(.request), message.type >= NetlinkType.controller else {
            return .nothing
        }
        guard known.contains(message.type) else {
            throw Refusal(.noSuchEntry, "there is no family \(message.type)")
        }
        guard let number = message.command else { throw Refusal(.invalid, "there is no command") }
        if message.type == NetlinkType.controller {
            guard number == ControllerCommand.getFamily else { throw Refusal(.notSupported) }
            return try families(message.attributes, dump)
        }
        if message.type == NetlinkType.extra {
            guard let command = ExtraCommand(rawValue: number) else { throw Refusal(.notSupported) }
            guard privileged else { throw Refusal(.notPermitted) }
            return try extra(command, message.attributes)
        }
        guard let command = IPVSCommand(rawValue: number) else { throw Refusal(.notSupported) }
        guard dump ? command.isDumped : command.isDone else { throw Refusal(.notSupported) }
        guard privileged else { throw Refusal(.notPermitted) }
        let attributes = message.attributes
        guard !command.isPrivate || attributes[AttributeNumber.Top.local] != nil else {
            throw Refusal(.notSupported)
        }
        if dump { return try list(command, attributes) }
        try attributes.judge(short: .outOfRange, AttributePolicy.top)
        return try execute(command, attributes)
    }

    // MARK: nlctrl

    private static let families = [("IPVS", NetlinkType.ipvs), ("IPVSX", NetlinkType.extra)]

    private func families(
        _ attributes: NetlinkAttributes, _ dump: Bool
    ) throws(Refusal) -> Answer {
        if dump { return .many(Self.each(Self.families, Self.write)) }
        try attributes.judge(short: .outOfRange, AttributePolicy.family)
        let name = try attributes.text(AttributeNumber.Family.name, longest: 15)
        let number: UInt16? = try attributes.number(AttributeNumber.Family.number)
        guard name != nil || number != nil else {
            throw Refusal(.invalid, "a family is asked for by name or number")
        }
        // Where both are given the name decides.
        let found = Self.families.first { family in
            name.map { $0 == family.0 } ?? (number == family.1)
        }
        guard let found else { throw Refusal(.noSuchEntry) }
        return .one { Self.write(found, to: &$0) }
    }

    private static func write(_ family: (String, UInt16), to writer: inout NetlinkWriter) {
        writer.generic(ControllerCommand.newFamily, version: 2)
        writer.attribute(AttributeNumber.Family.name, family.0)
        writer.attribute(AttributeNumber.Family.number, family.1)
        writer.attribute(AttributeNumber.Family.version, UInt32(1))
        writer.attribute(AttributeNumber.Family.headerBytes, UInt32(0))
        writer.attribute(AttributeNumber.Family.highestAttribute, UInt32(6))
        guard family.1 == NetlinkType.ipvs else { return }
        writer.attribute(AttributeNumber.Family.operations) { writer in
            let served = IPVSCommand.allCases.filter {
                !$0.isPrivate && ($0.isDumped || $0.isDone)
            }
            for (index, command) in served.enumerated() {
                writer.attribute(UInt16(index + 1)) { writer in
                    writer.attribute(AttributeNumber.Operation.number, UInt32(command.rawValue))
                    writer.attribute(AttributeNumber.Operation.flags, command.operationFlags)
                }
            }
        }
    }

    // MARK: The private family

    private func extra(
        _ command: ExtraCommand, _ attributes: NetlinkAttributes
    ) throws(Refusal) -> Answer {
        guard let name = try attributes.text(AttributeNumber.Extra.name, longest: 63) else {
            throw Refusal(.invalid, "the request names no text")
        }
        let text = try NamedText.named(name)
        let key = try attributes.text(AttributeNumber.Extra.key, longest: 4095)
        switch command {
        case .read:
            let next = try text.read(key, self)
            return .many { writer in
                guard let piece = next() else { return false }
                writer.generic(command.rawValue)
                writer.attribute(AttributeNumber.Extra.piece, raw: piece)
                return true
            }
        case .write:
            guard let write = text.write else {
                throw Refusal(.notSupported, "'\(name)' can only be read")
            }
            let value = try attributes.text(AttributeNumber.Extra.value, longest: 4095)
            guard let key, let value else {
                throw Refusal(.invalid, "writing '\(name)' needs a key and a value")
            }
            try write(key, value, self)
            return .nothing
        }
    }

    /// A dump of one message for each element.
    static func each<Element>(
        _ elements: [Element], _ write: @escaping (Element, inout NetlinkWriter) -> Void
    ) -> (inout NetlinkWriter) -> Bool {
        var rest = elements[...]
        return { writer in
            guard let element = rest.popFirst() else { return false }
            write(element, &writer)
            return true
        }
    }
}

extension IPVSCommand {
    /// Whether it can be asked for as a dump.
    fileprivate var isDumped: Bool {
        switch self {
        case .getService, .getDestination, .getDaemon, .getLocal: true
        default: false
        }
    }

    /// What nlctrl tells of it: for administrators (1), answers (2), dumps (4), judges attributes (8).
    fileprivate var operationFlags: UInt32 {
        1 | (isDone ? 2 : 0) | (isDumped ? 4 : 0) | 8
    }

    /// Whether it can be asked for without the dump flag; SET_INFO only answers.
    fileprivate var isDone: Bool {
        switch self {
        case .getDestination, .getDaemon, .setInformation, .getLocal: false
        default: true
        }
    }
}
