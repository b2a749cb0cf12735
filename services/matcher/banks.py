"""Central banks by every usual name, one word each, so that ``Bank of England`` and ``BoE`` meet.

Source: the central banks of the OECD and G20 countries as the Bank for International Settlements lists them
(bis.org/cbanks.htm), with the short forms that they and the press use (2026). A short form that is also another word
(RBI, MAS) is left out. Texts are without diacritics.
"""

_BANKS = """
fed|federal reserve,us federal reserve,fomc,federal open market committee,us fed,fed reserve
ecb|european central bank
boe|bank of england
boj|bank of japan
boc|bank of canada
rba|reserve bank of australia,australian reserve bank
rbnz|reserve bank of new zealand
snb|swiss national bank
riksbank|sveriges riksbank,swedish riksbank,swedish central bank,central bank of sweden
norgesbank|norges bank,norwegian central bank,central bank of norway
nationalbanken|danmarks nationalbank,danish central bank
sedlabanki|central bank of iceland
pboc|peoples bank of china,people s bank of china,people bank of china,chinese central bank
rbindia|reserve bank of india
bkorea|bank of korea
bankindonesia|bank indonesia
cbrussia|bank of russia,central bank of russia,russian central bank
cbrt|central bank of turkey,central bank of turkiye,turkish central bank,central bank of the republic of turkey
sarb|south african reserve bank
boisrael|bank of israel
banxico|bank of mexico,banco de mexico
bcb|central bank of brazil,banco central do brasil,brazilian central bank,brazil central bank,copom
bcra|central bank of argentina,central bank of the argentine republic,argentine central bank
bcchile|central bank of chile,banco central de chile
banrep|bank of the republic of colombia,central bank of colombia,banco de la republica
polandbank|national bank of poland,narodowy bank polski
czechbank|czech national bank
hungarybank|hungarian national bank,national bank of hungary,magyar nemzeti bank
romaniabank|national bank of romania
ukrainebank|national bank of ukraine
saudibank|saudi central bank,central bank of saudi arabia
singaporemas|monetary authority of singapore
"""

BANK_NAMES: dict[str, str] = {
    name: bank
    for line in _BANKS.strip().splitlines()
    for bank, _, names in (line.partition("|"),)
    for name in (bank, *names.split(","))
}
"""One word by each name of a central bank, in lower case."""
