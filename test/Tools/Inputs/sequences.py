"""sequences.py OUT.npz COUNT [VOCABULARY]: token sequences of different lengths,
written without NumPy."""
import struct
import sys
import zipfile

out, count = sys.argv[1], int(sys.argv[2])
vocabulary = int(sys.argv[3]) if len(sys.argv) > 3 else 40
length = 9
ids, mask = [], []
for row in range(count):
    kept = 2 + row % (length - 1)
    for i in range(length):
        ids.append((row * 7 + i * 3) % (vocabulary - 1) + 1 if i < kept else 0)
        mask.append(int(i < kept))


def npy(values):
    header = "{'descr': '<i8', 'fortran_order': False, 'shape': (%d, %d), }" % (count, length)
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return (b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
            + struct.pack("<%dq" % len(values), *values))


with zipfile.ZipFile(out, "w") as archive:
    for name, values in (("input_ids", ids), ("attention_mask", mask)):
        archive.writestr(zipfile.ZipInfo(name + ".npy"), npy(values))
