"""Countries and states by every usual name: one word each, so that ``French``, ``France`` and ``Türkiye`` meet.

Sources: ISO 3166-1 short names and codes, FIFA member codes, UN demonyms in common English use (2026); United States
Postal Service state codes. The lists are whole; texts are without diacritics.
"""

from services.matcher.text import stem

_COUNTRIES = """
afghanistan|afghan|AF AFG
albania|albanian|AL ALB
algeria|algerian|DZ ALG DZA
andorra|andorran|AD AND
angola|angolan|AO ANG AGO
antigua and barbuda|antiguan|AG ATG
argentina|argentine,argentinian,argentinean|AR ARG
armenia|armenian|AM ARM
aruba|aruban|AW ARU
australia|australian|AU AUS AUST
austria|austrian|AT AUT
azerbaijan|azerbaijani,azeri|AZ AZE
bahamas|bahamian|BS BAH
bahrain|bahraini|BH BHR
bangladesh|bangladeshi|BD BAN BGD
barbados|barbadian|BB BRB
belarus|belarusian,belarussian|BY BLR
belgium|belgian|BE BEL
belize|belizean|BZ BLZ
benin|beninese|BJ BEN
bermuda|bermudian|BM BER
bhutan|bhutanese|BT BHU
bolivia|bolivian|BO BOL
bosnia and herzegovina|bosnia herzegovina,bosnia & herzegovina,bosnia,bosnian|BA BIH
botswana|batswana|BW BOT
brazil|brazilian,brasil|BR BRA
brunei|bruneian|BN BRU
bulgaria|bulgarian|BG BUL BGR
burkina faso|burkinabe|BF BFA
burundi|burundian|BI BDI
cambodia|cambodian|KH CAM
cameroon|cameroonian|CM CMR
canada|canadian|CA CAN
cape verde|cabo verde,cape verdean|CV CPV
central african republic||CF CTA
chad|chadian|TD CHA
chile|chilean|CL CHI CHL
china|chinese,china pr|CN CHN
colombia|colombian|CO COL
comoros|comorian|KM COM
congo dr|dr congo,democratic republic of the congo,drc|CD COD
republic of the congo|congo brazzaville|CG CGO
costa rica|costa rican|CR CRC
croatia|croatian|HR CRO HRV
cuba|cuban|CU CUB
curacao|curacaoan|CW CUW
cyprus|cypriot|CY CYP
czechia|czech republic,czech|CZ CZE
denmark|danish,dane|DK DEN DNK
djibouti|djiboutian|DJ DJI
dominica||DM DMA
dominican republic||DO DOM
ecuador|ecuadorian,ecuadorean|EC ECU
egypt|egyptian|EG EGY
el salvador|salvadoran|SV SLV
england|english|EN ENG GB
equatorial guinea|equatoguinean|GQ EQG
eritrea|eritrean|ER ERI
estonia|estonian|EE EST
eswatini|swaziland,swazi|SZ SWZ
ethiopia|ethiopian|ET ETH
faroe islands|faroese|FO FRO
fiji|fijian|FJ FIJ
finland|finnish|FI FIN
france|french|FR FRA
gabon|gabonese|GA GAB
gambia|gambian|GM GAM
georgia|georgian|GE GEO
germany|german|DE GER DEU
ghana|ghanaian|GH GHA
gibraltar|gibraltarian|GI GIB
greece|greek,hellenic|GR GRE GRC
greenland|greenlandic|GL GRL
grenada|grenadian|GD GRN
guatemala|guatemalan|GT GUA
guinea|guinean|GN GUI
guinea bissau||GW GNB
guyana|guyanese|GY GUY
haiti|haitian|HT HAI HTI
honduras|honduran|HN HON
hong kong||HK HKG
hungary|hungarian|HU HUN
iceland|icelandic|IS ISL
india|indian|IN IND
indonesia|indonesian|ID IDN
iran|iranian,ir iran|IR IRN IRI
iraq|iraqi|IQ IRQ
ireland|irish,republic of ireland|IE IRL
israel|israeli|IL ISR
italy|italian|IT ITA
ivory coast|cote d ivoire,cote divoire,ivorian|CI CIV
jamaica|jamaican|JM JAM
japan|japanese|JP JPN
jordan||JO JOR
kazakhstan|kazakh,kazakhstani|KZ KAZ
kenya|kenyan|KE KEN
kosovo|kosovan,kosovar|XK KOS KVX
kuwait|kuwaiti|KW KUW
kyrgyzstan|kyrgyz|KG KGZ
laos|laotian,lao|LA LAO
latvia|latvian|LV LAT LVA
lebanon|lebanese|LB LBN LIB
lesotho|basotho|LS LES
liberia|liberian|LR LBR
libya|libyan|LY LBY
liechtenstein||LI LIE
lithuania|lithuanian|LT LTU
luxembourg|luxembourgish,luxembourger|LU LUX
madagascar|malagasy|MG MAD
malawi|malawian|MW MWI
malaysia|malaysian|MY MAS MYS
maldives|maldivian|MV MDV
mali|malian|ML MLI
malta|maltese|MT MLT MAL
mauritania|mauritanian|MR MTN
mauritius|mauritian|MU MRI
mexico|mexican|MX MEX
moldova|moldovan|MD MDA
monaco|monegasque|MC MON
mongolia|mongolian|MN MGL
montenegro|montenegrin|ME MNE
morocco|moroccan|MA MAR
mozambique|mozambican|MZ MOZ
myanmar|burma,burmese|MM MYA MMR
namibia|namibian|NA NAM
nepal|nepali,nepalese|NP NEP NPL
netherlands|dutch,holland|NL NED NLD
new caledonia||NC NCL
new zealand|new zealander|NZ NZL
nicaragua|nicaraguan|NI NCA
niger|nigerien|NE NIG
nigeria|nigerian|NG NGA
north korea|north korean,dprk|KP PRK
north macedonia|macedonia,macedonian|MK MKD
northern ireland|northern irish|ND NIR
norway|norwegian|NO NOR
oman|omani|OM OMA
pakistan|pakistani|PK PAK
palestine|palestinian|PS PLE
panama|panamanian|PA PAN
papua new guinea||PG PNG
paraguay|paraguayan|PY PAR PRY
peru|peruvian|PE PER
philippines|philippine,filipino|PH PHI PHL
poland|polish|PL POL
portugal|portuguese|PT POR PRT
puerto rico|puerto rican|PR PUR
qatar|qatari|QA QAT
romania|romanian|RO ROU
russia|russian,russian federation|RU RUS
rwanda|rwandan|RW RWA
samoa|samoan|WS SAM
san marino|sammarinese|SM SMR
saudi arabia|saudi,saudi arabian|SA KSA SAU
scotland|scottish|SC SCO SQ
senegal|senegalese|SN SEN
serbia|serbian|RS SRB
sierra leone|sierra leonean|SL SLE
singapore|singaporean|SG SGP SIN
slovakia|slovak,slovakian,slovak republic|SK SVK
slovenia|slovenian,slovene|SI SVN SLO
solomon islands||SB SOL
somalia|somali|SO SOM
south africa|south african|ZA RSA ZAF
south korea|south korean,korea republic,republic of korea|KR KOR
south sudan|south sudanese|SS SSD
spain|spanish|ES ESP
sri lanka|sri lankan|LK SRI LKA
sudan|sudanese|SD SDN SUD
suriname|surinamese|SR SUR
sweden|swedish,swede|SE SWE
switzerland|swiss|CH SUI CHE
syria|syrian|SY SYR
taiwan|taiwanese,chinese taipei|TW TPE TWN
tajikistan|tajik|TJ TJK
tanzania|tanzanian|TZ TAN TZA
thailand|thai|TH THA
togo|togolese|TG TOG
trinidad and tobago|trinidadian|TT TRI
tunisia|tunisian|TN TUN
turkey|turkiye,turkish|TR TUR
turkmenistan|turkmen|TM TKM
uganda|ugandan|UG UGA
ukraine|ukrainian|UA UKR
united arab emirates|uae,emirati|AE UAE ARE
united kingdom|uk,british,britain,great britain|UK GBR
united states|us,usa,united states of america|US USA
uruguay|uruguayan|UY URU URY
uzbekistan|uzbek|UZ UZB
vatican|vatican city,holy see|VA VAT
venezuela|venezuelan|VE VEN
vietnam|vietnamese|VN VIE VNM
wales|welsh|WA WAL
yemen|yemeni|YE YEM
zambia|zambian|ZM ZAM
zimbabwe|zimbabwean|ZW ZIM
"""

_STATES = """
alabama AL;alaska AK;arizona AZ;arkansas AR;california CA;colorado CO;connecticut CT;delaware DE;florida FL;georgia GA
hawaii HI;idaho ID;illinois IL;indiana IN;iowa IA;kansas KS;kentucky KY;louisiana LA;maine ME;maryland MD
massachusetts MA;michigan MI;minnesota MN;mississippi MS;missouri MO;montana MT;nebraska NE;nevada NV;new hampshire NH
new jersey NJ;new mexico NM;new york NY;north carolina NC;north dakota ND;ohio OH;oklahoma OK;oregon OR;pennsylvania PA
rhode island RI;south carolina SC;south dakota SD;tennessee TN;texas TX;utah UT;vermont VT;virginia VA;washington WA
west virginia WV;wisconsin WI;wyoming WY;district of columbia DC
"""

_ROWS = [line.split("|") for line in _COUNTRIES.strip().splitlines()]

COUNTRY_NAMES: dict[str, str] = {
    name: country.replace(" ", "")
    for country, others, _ in _ROWS
    for name in (country, *filter(None, others.split(",")))
}
"""One word by each name or demonym of a country, in lower case."""

COUNTRY_CODES: dict[str, frozenset[str]] = {
    stem(country.replace(" ", "")): frozenset(codes.split()) for country, _, codes in _ROWS
}
"""The ISO and FIFA codes of each country word, stemmed; Kalshi ends tickers with either."""

STATE_CODES: dict[str, str] = {
    code: name
    for entry in _STATES.replace("\n", ";").strip(";").split(";")
    for name, _, code in (entry.rpartition(" "),)
}
"""State in lower case by its postal code."""

STATE_WORDS: dict[str, tuple[str, ...]] = {code: tuple(map(stem, name.split())) for code, name in STATE_CODES.items()}
"""The stemmed words of a state's name by its postal code."""

STATE_NAMES = {"west virginia": "westvirginia", "new mexico": "newmexico"}
"""States whose last word is another state or a country: one word by each name."""

STATES = frozenset(words[-1] for words in STATE_WORDS.values()) | frozenset(map(stem, STATE_NAMES.values()))
"""Each state by the last word of its name, or by one word for the whole of it."""

EXACT_WORDS = frozenset(COUNTRY_CODES) | {word for words in STATE_WORDS.values() for word in words}
"""Words that are never taken for a near spelling of another: Austria is not Australia."""
