/// Writes a program for the kernel's BPF machine (RFC 9669): instructions with labels to jump to.
///
/// ```
///  0         8     12    16             32                       64
///  | code    | dst | src | offset       | immediate              |
/// ```
/// Values in registers and immediates are little-endian numbers, whatever the packet means by them.
struct Assembler {
    /// A register: r0 is what calls and the program answer, r1 to r5 are arguments and lost in
    /// calls, r6 to r9 are kept, r10 is the end of the stack (512 bytes below it).
    enum Register: UInt64 {
        case r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10
    }

    /// Bytes that are loaded or stored at a time.
    enum Width: UInt64 {
        case word = 0x00
        case half = 0x08
        case byte = 0x10
        case double = 0x18
    }

    /// A condition of two 64-bit values without a sign.
    enum Condition: UInt64 {
        case equal = 0x10
        case above = 0x20
        case atLeast = 0x30
        case different = 0x50
        case below = 0xa0
    }

    /// An operation on the whole register.
    enum Operation: UInt64 {
        case add = 0x00
        case multiply = 0x20
        case or = 0x40
        case and = 0x50
        case shiftLeft = 0x60
        case shiftRight = 0x70
        case exclusiveOr = 0xa0
        case move = 0xb0
    }

    /// A place in the program, known once `place` was called for it.
    struct Label: Hashable {
        fileprivate var number: Int
    }

    private var words: [UInt64] = []
    private var places: [Int?] = []
    private var jumps: [(at: Int, to: Label)] = []

    /// The finished program; nil when it is too long to jump in.
    ///
    /// Every label that is jumped to has been placed.
    var instructions: [UInt64]? {
        var finished = words
        for jump in jumps {
            guard let place = places[jump.to.number] else {
                preconditionFailure("a label was jumped to and never placed")
            }
            let distance = place - jump.at - 1
            precondition(distance >= 0, "programs here jump ahead only")
            guard distance < 1 << 15 else { return nil }
            finished[jump.at] |= UInt64(distance) << 16
        }
        return finished
    }

    mutating func label() -> Label {
        places.append(nil)
        return Label(number: places.count - 1)
    }

    /// The next instruction is where the label is.
    mutating func place(_ label: Label) {
        precondition(places[label.number] == nil, "a label is placed once")
        places[label.number] = words.count
    }

    private mutating func put(
        _ code: UInt64, _ target: Register = .r0, _ source: Register = .r0, offset: Int = 0,
        immediate: UInt32 = 0
    ) {
        let fields = target.rawValue << 8 | source.rawValue << 12
        let distance = UInt64(UInt16(bitPattern: Int16(offset))) << 16
        words.append(code | fields | distance | UInt64(immediate) << 32)
    }

    mutating func load(
        _ width: Width, _ target: Register, _ base: Register, _ offset: Int
    ) {
        put(0x61 | width.rawValue, target, base, offset: offset)
    }

    mutating func store(
        _ width: Width, _ base: Register, _ offset: Int, _ source: Register
    ) {
        put(0x63 | width.rawValue, base, source, offset: offset)
    }

    mutating func store(_ width: Width, _ base: Register, _ offset: Int, value: UInt32) {
        put(0x62 | width.rawValue, base, offset: offset, immediate: value)
    }

    mutating func calculate(_ operation: Operation, _ target: Register, _ source: Register) {
        put(0x0f | operation.rawValue, target, source)
    }

    /// The immediate is widened with its sign.
    mutating func calculate(_ operation: Operation, _ target: Register, value: Int32) {
        put(0x07 | operation.rawValue, target, immediate: UInt32(bitPattern: value))
    }

    /// Makes a number of the lower half of a register from network order.
    mutating func fromNetwork(_ width: Width, _ target: Register) {
        put(0xdc, target, immediate: width == .half ? 16 : 32)
    }

    mutating func jump(to label: Label) {
        jumps.append((words.count, label))
        put(0x05)
    }

    mutating func jump(
        if target: Register, _ condition: Condition, _ source: Register, to label: Label
    ) {
        jumps.append((words.count, label))
        put(0x0d | condition.rawValue, target, source)
    }

    /// Compares with a number; one of 2^31 or more with the lower half alone, since an immediate is
    /// widened with its sign.
    mutating func jump(
        if target: Register, _ condition: Condition, value: UInt32, to label: Label
    ) {
        jumps.append((words.count, label))
        put((value >> 31 == 0 ? 0x05 : 0x06) | condition.rawValue, target, immediate: value)
    }

    /// Puts the address of a map into a register (two instructions).
    mutating func load(map descriptor: Int32, _ target: Register) {
        let mapDescriptor = Register.r1  // BPF_PSEUDO_MAP_FD
        put(0x18, target, mapDescriptor, immediate: UInt32(bitPattern: descriptor))
        put(0)
    }

    /// Calls one of the kernel's functions by number.
    mutating func call(_ function: UInt32) { put(0x85, immediate: function) }

    /// Ends the program with what is in r0.
    mutating func exit() { put(0x95) }
}
