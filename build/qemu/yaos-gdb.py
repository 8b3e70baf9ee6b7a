# gdb's view of the kernel: strings are shown as text, references as what they refer to, and `yaos threads`, `yaos rings`
# and `yaos pci` tell what there is. `make gdb` loads it, and .vscode/launch.json.

import itertools
import re
import gdb

# Of an object's header (AssemblyScript's runtime), below its address.
CLASS_ID = -8
BYTES = -4
STATES = ["ready", "waiting", "ended", "gone"]
NEVER = (1 << 64) - 1


def word(address, kind="unsigned int"):
    return int(gdb.Value(address).cast(gdb.lookup_type(kind).pointer()).dereference())


def string(value):
    address = int(value)
    if address == 0:
        return "null"
    data = gdb.selected_inferior().read_memory(address, word(address + BYTES))
    return bytes(data).decode("utf-16-le", "replace")


def really(value):
    """The reference with the type of the object that it refers to."""
    class_id = word(int(value) + CLASS_ID)
    for field in gdb.lookup_type("yaos_class_ids").fields():
        if field.enumval == class_id:
            return value.cast(gdb.lookup_type(field.name[len("is_"):]).pointer())
    return value


def type_of_element(name):
    """Of an Array: gdb calls a reference a pointer."""
    found = gdb.lookup_type(name)
    return found.pointer() if found.code == gdb.TYPE_CODE_STRUCT else found


def items(array):
    """How many elements an array has, and all of them."""
    element, start = array.type.target(), int(array)
    if element.code == gdb.TYPE_CODE_STRUCT:
        # An Array; a StaticArray begins with its elements.
        name = re.match(r"Array<([^$>]*)", element.name).group(1)
        element, start, count = type_of_element(name), int(array["dataStart"]), int(array["length_"])
    else:
        count = word(start + BYTES) // element.sizeof
    values = (gdb.Value(start + element.sizeof * i).cast(element.pointer()).dereference() for i in range(count))
    return count, values


def elements(array, count=None):
    """The references in an array that are not null."""
    for value in itertools.islice(items(array)[1], count):
        if int(value) != 0:
            yield value


def variable(name):
    try:
        value = gdb.parse_and_eval(name)
        if int(value) != 0:
            return value
    except gdb.MemoryError:
        pass  # it is not mapped
    raise gdb.GdbError("the kernel has not come so far yet: there is no %s" % name)


def table(head, rows):
    rows = [head] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


class Yaos(gdb.Command):
    """What the kernel has: yaos threads, yaos rings, yaos pci."""

    def __init__(self):
        super().__init__("yaos", gdb.COMMAND_STATUS, gdb.COMPLETE_NONE, True)


class Threads(gdb.Command):
    """The threads: CPU, state, when a wait ends (ns), name."""

    def __init__(self):
        super().__init__("yaos threads", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        running = [int(cpu["current"]) for cpu in elements(variable("cpus"))]
        rows = []
        for thread in elements(variable("threads")):
            state = int(thread["state"])
            shown = "running" if int(thread) in running else STATES[state]
            deadline = int(thread["deadline"])
            until = deadline if state == 1 and deadline != NEVER else "-"
            rows.append([int(thread["slot"]), int(thread["home"]), shown, until, string(thread["name"])])
        table(["slot", "cpu", "state", "until", "name"], rows)


class Rings(gdb.Command):
    """The queues of the virtio devices: what is free, and what is known on either side."""

    def __init__(self):
        super().__init__("yaos rings", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        rows = []
        binding = variable("bindings")["first"]
        while int(binding) != 0:
            bound = really(binding)
            if bound.type.target().name == "VirtioBinding":
                device = bound["device"]
                for queue in elements(device["interrupts"]["queues"]):
                    rows.append(self.row(device, really(queue)))
            binding = binding["next"]
        table(["device", "queue", "class", "size", "free", "kicks", "used", "untold", "state"], rows)

    def row(self, device, queue):
        state = "broken" if queue["broken"] else "removed" if queue["removed"] else "polled" if queue["polling"] else "ok"
        counts = [int(queue[name]) for name in ("freeCount", "kicks", "usedCount", "unannounced")]
        kind = queue.type.target().name
        return [string(device["name"]), int(queue["index"]), kind, int(queue["ring"]["size"])] + counts + [state]


class Pci(gdb.Command):
    """The PCI functions: place, vendor and device, class."""

    def __init__(self):
        super().__init__("yaos pci", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        functions = variable("functions")
        rows = []
        for f in elements(functions["list"], int(functions["count"])):
            ids = "%04x:%04x" % (int(f["vendor"]), int(f["device"]))
            rows.append([string(f["name"]), ids, "%06x" % int(f["classCode"])])
        table(["function", "ids", "class"], rows)


class StringPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        text = string(self.value)
        return text if int(self.value) == 0 else '"%s"' % text


class ArrayPrinter:
    def __init__(self, value):
        self.count, self.values = items(value)

    def to_string(self):
        return "%d elements" % self.count

    def children(self):
        return (("[%d]" % i, value) for i, value in enumerate(self.values))

    def display_hint(self):
        return "array"


def printer(value):
    """References of 4 bytes are the kernel's; those to no class are StaticArrays."""
    kind = value.type.strip_typedefs()
    if kind.code != gdb.TYPE_CODE_PTR or kind.sizeof != 4:
        return None
    target = kind.target()
    if target.code == gdb.TYPE_CODE_STRUCT and target.name == "String":
        return StringPrinter(value)
    is_array = target.code != gdb.TYPE_CODE_STRUCT or target.name.startswith("Array<")
    try:
        return ArrayPrinter(value) if is_array and int(value) != 0 else None
    except gdb.error:
        return None  # it refers to nothing, or to elements that debugging information has no type for


def use_hardware_breakpoints(event=None):
    """The kernel's code is neither loaded nor mapped at first: gdb leaves breakpoints in read-only memory to the processor."""
    try:
        start, end = (int(gdb.parse_and_eval("(unsigned long) &%s" % s)) for s in ("image_start", "data_start"))
    except gdb.error:
        return  # the kernel's symbols are still to come
    gdb.execute("set mem inaccessible-by-default off")
    gdb.execute("mem %d %d ro" % (start, end))
    gdb.events.new_objfile.disconnect(use_hardware_breakpoints)


class Ending:
    """Ends gdb with the machine, which has gone if the connection goes while it runs: there is nothing left to look at."""

    def __init__(self):
        self.running = False
        gdb.events.cont.connect(lambda event: self.runs(True))
        gdb.events.stop.connect(lambda event: self.runs(False))
        if hasattr(gdb.events, "connection_removed"):  # since gdb 12; without it gdb says that the connection is closed
            gdb.events.connection_removed.connect(lambda event: self.end())

    def runs(self, running):
        self.running = running

    def end(self):
        if self.running:
            gdb.execute("quit")


gdb.events.new_objfile.connect(use_hardware_breakpoints)
use_hardware_breakpoints()
Ending()
gdb.pretty_printers.append(printer)
for command in (Yaos, Threads, Rings, Pci):
    command()
