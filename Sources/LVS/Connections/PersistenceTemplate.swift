import Synchronization

// Persistence templates: entries that lead the new connections of a client to one real server
// (ipvs-semantics 5). They stand in the table under a key that no packet has, with client port 0.
//
// A template counts the connections that hold it, in the word where connections keep the next hop
// towards the client. Once that count is closed, nobody can hold the template any more and it may
// be ended; so what a connection names as its controller is always the template it was made by.

extension Connection {
    /// Tells the keys of templates from those of packets: set in the protocol number of the key.
    static let templateBit: UInt8 = 0x40
    /// In byte 49: the entry is a template.
    static let templateTrait: UInt8 = 0x10
    /// What the count of holders says when the template is about to be ended.
    fileprivate static let closed: UInt32 = 0x8000_0000
    /// Seconds after which a template that is still held is looked at again (ipvs-semantics 5.3).
    fileprivate static let heldSeconds: UInt32 = 60

    /// True for entries that packets of the real server are looked up by as well.
    var isFoundByReplies: Bool {
        method.isFoundByReplies && !isTemplate
    }

    /// A template that was replaced: listed until its time has passed, never followed.
    package var isInvalidTemplate: Bool { isTemplate && control.isInvalid }

    /// True for entries that others may hang on: templates, and control connections of a helper.
    var canBeHeld: Bool { isTemplate || hasHelper }

    /// Where the connections that hang on this one are counted; nil where none can.
    var holdersWord: UnsafeMutablePointer<Atomic<UInt32>>? {
        unsafe isTemplate ? word(52) : helperWord(Connection.holdersOffset)
    }

    /// Connections that hang on this one (n_control, ipvs-semantics 4.1).
    package var holders: UInt32 {
        guard let word = unsafe holdersWord else { return 0 }
        return unsafe word.pointee.load(ordering: .acquiring) & ~Connection.closed
    }

    /// Sets the state that says a connection has come about by this template (ipvs-semantics 5.5).
    fileprivate func assure() {
        var old = control
        while old.isLive, old.state != TemplateState.assured.rawValue {
            var new = old
            new.state = TemplateState.assured.rawValue
            if exchange(old, for: new) { return }
            old = control
        }
    }

    /// Adds one holder; false when the template is about to be ended.
    fileprivate func hold() -> Bool {
        guard let word = unsafe holdersWord else { return false }
        var old = unsafe word.pointee.load(ordering: .acquiring)
        while old & Connection.closed == 0 {
            let result = unsafe word.pointee.compareExchange(
                expected: old, desired: old &+ 1, ordering: .sequentiallyConsistent)
            if result.exchanged { return true }
            old = result.original
        }
        return false
    }

    /// Keeps everybody from holding the template; false when somebody does.
    fileprivate func close() -> Bool {
        guard let word = unsafe holdersWord else { return true }
        let original = unsafe word.pointee.compareExchange(
            expected: 0, desired: Connection.closed, ordering: .sequentiallyConsistent
        ).original
        return original == 0 || original == Connection.closed
    }

    /// Takes one holder off.
    fileprivate func release() {
        unsafe holdersWord?.pointee.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    }
}

extension ConnectionControl {
    var isInvalid: Bool { rawValue & ConnectionControl.invalid != 0 }
}

/// State of a template, in place of that of a transport (ipvs-semantics 5.5).
enum TemplateState: UInt8, CaseIterable {
    case none = 0
    /// A connection was established by it.
    case assured

    /// The word in connection listings.
    var name: String { self == .assured ? "ASSURED" : "NONE" }
}

extension ConnectionTable {
    /// The template of a tuple; one whose time has passed, and that nothing holds, is taken out of the
    /// index and left to the sweep.
    ///
    /// Workers never end a template: the sweep may be looking at it, and must find it as it was.
    package func findTemplate(_ tuple: ConnectionTuple, now: Instant) -> Connection? {
        while let template = find(tuple, key(tuple), tick: nil)?.connection {
            guard template.isOverdue(now), !renews(template, tick: now.tick) else {
                return template
            }
            invalidate(template)
        }
        return nil
    }

    /// Keeps a template or a control connection from being ended, until the hold is handed to
    /// `insert` or released; false when it is about to be ended and not to be used.
    package func hold(_ controller: Connection) -> Bool { controller.hold() }

    /// Gives back a hold on the entry of this number; nothing for `Connection.noNumber`.
    package func releaseHold(_ number: UInt32) {
        guard number != Connection.noNumber else { return }
        connection(number).release()
    }

    /// Notes that a connection controlled by the template of this number was established; nothing
    /// for `Connection.noNumber`.
    func assureTemplate(_ number: UInt32) {
        guard number != Connection.noNumber, connection(number).isTemplate else { return }
        connection(number).assure()
    }

    /// Takes a template out of the index, so that the client gets another one; it stays in listings
    /// until its time has passed.
    package func invalidate(_ template: Connection) {
        var old = template.control
        while old.isLive, !old.isInvalid {
            let new = ConnectionControl(rawValue: old.rawValue | ConnectionControl.invalid)
            if template.exchange(old, for: new) { break }
            old = template.control
        }
        // Even when somebody else was first: nobody has to wait for that one.
        removeSlot(template, .inbound)
    }

    /// Ends an entry unless others hang on it; true when it did, and the counts are to be moved.
    package func expireUnheld(_ entry: Connection, worker: Int) -> Bool {
        entry.close() && expire(entry, worker: worker)
    }

    /// True when a template whose time has passed is held, and therefore lives on: from then on by
    /// the minute, whatever its service says (ipvs-semantics 5.3).
    func renews(_ template: Connection, tick: UInt32) -> Bool {
        guard !template.close() else { return false }
        template.touch(tick)
        template.setTimeout(Connection.heldSeconds)
        return true
    }

    /// True when a control connection lives on although its time has passed, since others hang on it.
    func livesOn(_ connection: Connection, tick: UInt32) -> Bool {
        connection.hasHelper && renews(connection, tick: tick)
    }
}
